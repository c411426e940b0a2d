// The 128-d descriptors of raw RGB images of 150 px, by the package's own forward pass: node descriptors.cjs IMAGES OUT
const fs = require('fs');
const tf = require('@tensorflow/tfjs');
const faceapi = require('@vladmandic/face-api/dist/face-api.node-wasm.js');

async function main(images, out) {
  await tf.setBackend('cpu');
  await tf.ready();
  const folder = require.resolve('@vladmandic/face-api/package.json').replace('package.json', 'model/');
  const manifest = JSON.parse(fs.readFileSync(`${folder}face_recognition_model-weights_manifest.json`));
  const bytes = Uint8Array.from(fs.readFileSync(`${folder}face_recognition_model.bin`));
  const net = new faceapi.FaceRecognitionNet();
  net.loadFromWeightMap(tf.io.decodeWeights(bytes.buffer, manifest[0].weights));
  const pixels = Float32Array.from(fs.readFileSync(images));
  const size = 150 * 150 * 3;
  const found = [];
  for (let start = 0; start < pixels.length; start += size) {
    const image = tf.tensor(pixels.slice(start, start + size), [1, 150, 150, 3]);
    found.push(Array.from(await (await net.forward(image)).data()));
  }
  fs.writeFileSync(out, JSON.stringify(found));
}

main(process.argv[2], process.argv[3]);
