"""What a pretended run is found to do: plain numbers that can be pickled and written as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Work:
    """Kernels launched, floating-point operations of convolutions and matrix products, bytes to and from memory."""

    launches: int = 0
    flops: int = 0
    bytes: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(self.launches + other.launches, self.flops + other.flops, self.bytes + other.bytes)

    def __mul__(self, times: float) -> Work:
        return Work(round(self.launches * times), round(self.flops * times), round(self.bytes * times))


@dataclass(frozen=True)
class Counts:
    """A method under a recipe. Memory in bytes, as torch's allocator rounds it; cuDNN's own workspaces are not in it.

    step: one full training step by part: "data", "forward", "backward", "optimiser", "rest" (what is written before
    the step, and its loss after it). evaluation: one prediction of the test set. sweep: what a method does before an
    epoch, the larger of the first and the last one; its number of faces counts every visit.
    resident_bytes: faces, labels, weights, gradients and moments. The peaks include it; each is 0 where
    there was nothing to do.
    """

    step: dict[str, Work]
    evaluation: Work
    evaluation_faces: int
    sweep: Work
    swept_faces: int
    resident_bytes: int
    step_peak_bytes: int
    evaluation_peak_bytes: int
    sweep_peak_bytes: int
    parameters: int

    @property
    def whole_step(self) -> Work:
        """All parts of a step together."""
        return sum(self.step.values(), Work())


@dataclass(frozen=True)
class Report:
    """What came of pretending. problems: rules of a CUDA device or of a recorded step that were broken, "part: what,
    at file:line", each once. error: why it went no further; counts are None where it did not come to its end."""

    counts: Counts | None
    problems: list[str] = field(default_factory=list)
    error: str | None = None

    @property
    def passed(self) -> bool:
        """Whether nothing stands in the way of a real device."""
        return self.counts is not None and not self.problems and self.error is None
