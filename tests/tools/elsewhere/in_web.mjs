// A model in onnxruntime-web: `node in_web.mjs FOLDER_WITH_NODE_MODULES MODEL`, then one inference for each line of input.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

const [folder, model] = process.argv.slice(2);
const say = (answer) => process.stdout.write(JSON.stringify(answer) + "\n");

try {
  const ort = createRequire(join(folder, "from.js"))("onnxruntime-web/wasm");
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "fatal";
  const session = await ort.InferenceSession.create(readFileSync(model), { executionProviders: ["wasm"] });
  say({ about: `onnxruntime-web ${ort.env.versions.web}, WebAssembly, Node.js ${process.versions.node}` });
  for await (const line of createInterface({ input: process.stdin })) {
    const { shape, data } = JSON.parse(line);
    const input = new ort.Tensor("float32", new Float32Array(new Uint8Array(Buffer.from(data, "base64")).buffer), shape);
    const begin = process.cpuUsage();
    const output = (await session.run({ [session.inputNames[0]]: input }))[session.outputNames[0]];
    const { user, system } = process.cpuUsage(begin);
    const found = Buffer.from(output.data.buffer, output.data.byteOffset, output.data.byteLength).toString("base64");
    say({ shape: output.dims, data: found, seconds: (user + system) / 1e6 });
  }
} catch (error) {
  say({ error: String(error.message ?? error) });
}
