"""report --figures: files in the folder that was asked for, no page unless asked, and one line where it cannot be."""

from __future__ import annotations

from pathlib import Path

from tinyfolder import call, refused

RESULTS = ["--results", str(Path(__file__).resolve().parents[2] / "results" / "ferplus7-face112")]


def test_figures_without_the_page(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call("report", *RESULTS, "--method", "ce", "--protocol", "clean", "--figures", "out") == 0
    shown = capsys.readouterr().out.splitlines()
    assert sorted(shown) == sorted(str(path) for path in Path("out").iterdir()) and "out/curves-single.pdf" in shown
    assert not Path("report").exists()


def test_what_cannot_be_drawn_ends_with_one_line(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    line = refused(capsys, "report", *RESULTS, "--method", "ce", "--figures", str(tmp_path / "file"))
    assert "file: cannot be written (File exists); give a folder that you may write to" in line
    (tmp_path / "none" / "records").mkdir(parents=True)
    line = refused(capsys, "report", "--results", str(tmp_path / "none"), "--figures", str(tmp_path / "out"))
    assert "no records to draw" in line and not (tmp_path / "out").exists()
    line = refused(capsys, "report", *RESULTS, "--method", "nlaa", "--figures", str(tmp_path / "out"))
    assert "did you mean nla" in line and not (tmp_path / "out").exists()
    line = refused(capsys, "report", *RESULTS, "--baseline", "nlaa", "--figures", str(tmp_path / "out"))
    assert "unknown method for --baseline 'nlaa': did you mean nla" in line and not (tmp_path / "out").exists()
    line = refused(capsys, "report", *RESULTS, "--faces", "synthetic", "--figures", str(tmp_path / "out"))
    assert "--faces with --figures: only the page shows faces" in line and not (tmp_path / "out").exists()
