// Runs a program that was compiled to WebAssembly: `node run.mjs program.wasm`. The module imports nothing; it exports `run`,
// which says whether all went well, and `told`, the number that it said last.
import { readFileSync } from "node:fs";

const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]));
const well = instance.exports.run();
for (let i = 0; i < instance.exports.count(); i++) {
    console.log((instance.exports.told(i) >>> 0).toString(16).padStart(8, "0"));
}
process.exit(well ? 0 : 1);
