// Runs a program that was compiled to WebAssembly: `node run.mjs program.wasm`. The module imports nothing; it exports `run`,
// which says whether all went well, and `count` and `told`, how many letters it has written, and each of them.
import { readFileSync } from "node:fs";

const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]));
const well = instance.exports.run();
for (let i = 0; i < instance.exports.count(); i++) {
    process.stdout.write(String.fromCharCode(instance.exports.told(i)));
}
process.exit(well ? 0 : 1);
