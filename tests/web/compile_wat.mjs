// Prints the WebAssembly of a text file in base64. Usage: node compile_wat.mjs FILE.wat
import { readFileSync } from "node:fs";
import wabt from "wabt";

const [file] = process.argv.slice(2);
const module = (await wabt()).parseWat(file, readFileSync(file, "utf8"), { simd: true });
module.validate();
console.log(Buffer.from(module.toBinary({}).buffer).toString("base64"));
