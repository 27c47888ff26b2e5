/**
 * Gaussians to pixels with WebGL2: quads summed into a float target, a second pass for colour.
 *
 *     Gaussians (texture) --additive quads--> Y'CbCr sums (RGBA32F, or RGBA16F) --matrix--> R'G'B' (canvas)
 *     Gaussians ------------sums.js---------> Y'CbCr sums (RGBA32F) ----------------'
 *
 * The second way is for WebGL2 that is drawn by the processor, and for graphics that cannot blend floats.
 */

import { floatsPerGaussian } from "../codec/dequantise.js";
import { BrowserError } from "../codec/errors.js";
import { SIDES, STRENGTH_STEPS, UNIT, frameAtModelTime, grainPlaces, grainTiles } from "../codec/grain.js";
import { splineWeights } from "../codec/motion.js";
import { rgbMatrix } from "./colour.js";
import { COLOUR_FRAGMENT, COVER_VERTEX, DATA_WIDTH, SPLAT_FRAGMENT, SPLAT_VERTEX } from "./shaders.js";
import { Sums } from "./sums.js";

/** @import { Drawing, Grain, Size, View } from "../types/gvideo-player.d.ts" */
/** @import { Decoded } from "../types/internal.d.ts" */

/** Segments whose Gaussians stay on the graphics card. */
const KEPT_TEXTURES = 4;
/** Names of what draws WebGL2 on the processor. */
const SOFTWARE = /SwiftShader|llvmpipe|softpipe|Basic Render|Software/i;

export class Renderer {
  /** @type {WebGL2RenderingContext} */
  #gl;
  /** What is made anew when the graphics come back: programs, and the format of sums. */
  #made;
  /** @type {{width: number, height: number, texture: WebGLTexture, framebuffer: WebGLFramebuffer | null} | null} */
  #target = null;
  /** Textures of segments, the least recently drawn first.
   * @type {Map<Decoded, WebGLTexture>} */
  #textures = new Map();
  /** Tiles of grain on the graphics card.
   * @type {{name: string, texture: WebGLTexture} | null} */
  #tiles = null;
  /** @type {Sums | null} */
  #sums = null;
  #drawing;

  /** @param {HTMLCanvasElement | OffscreenCanvas} canvas
   * @param {Drawing} drawing
   * @throws BrowserError if WebGL2 is missing, or blending into float targets where the graphics are to draw */
  constructor(canvas, drawing = "auto") {
    const options = {
      alpha: false,
      antialias: false,
      depth: false,
      stencil: false,
      powerPreference: "high-performance",
    };
    const gl = /** @type {WebGL2RenderingContext | null} */ (canvas.getContext("webgl2", options));
    if (!gl)
      throw new BrowserError(
        "This browser has no WebGL2, which this player draws with. " +
          "Try another browser or turn on hardware acceleration.",
      );
    this.canvas = canvas;
    this.#gl = gl;
    this.#drawing = drawing;
    this.#made = this.#prepare();
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => (this.#made = this.#prepare()));
  }

  #prepare() {
    const gl = this.#gl;
    const anyFloat = gl.getExtension("EXT_color_buffer_float");
    let format;
    const drawing = this.#drawing;
    const canBlend = anyFloat || gl.getExtension("EXT_color_buffer_half_float");
    const onProcessor = drawing === "processor" || (drawing === "auto" && (!canBlend || SOFTWARE.test(this.device)));
    if (onProcessor) format = { name: "32-bit floats on the processor", internal: gl.RGBA32F };
    else if (anyFloat && gl.getExtension("EXT_float_blend")) format = { name: "32-bit floats", internal: gl.RGBA32F };
    else if (canBlend) {
      format = { name: "16-bit floats", internal: gl.RGBA16F };
    } else {
      throw new BrowserError(
        "This browser's graphics cannot add up floating-point colours (EXT_color_buffer_float), " +
          "which this player needs. Try another browser or device.",
      );
    }
    const splats = onProcessor ? null : makeProgram(gl, SPLAT_VERTEX, SPLAT_FRAGMENT);
    const colour = makeProgram(gl, COVER_VERTEX, COLOUR_FRAGMENT);
    this.#target = null;
    this.#textures.clear();
    this.#tiles = null;
    gl.bindVertexArray(gl.createVertexArray());
    gl.disable(gl.DITHER);
    return { format, splats, colour };
  }

  /** Of the sums: its name and WebGL's. */
  get format() {
    return this.#made.format;
  }

  /** The name of what draws, as far as the browser tells. */
  get device() {
    const gl = this.#gl;
    const info = gl.getExtension("WEBGL_debug_renderer_info");
    return String(gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
  }

  /**
   * Draws a decoded segment on the whole canvas.
   * @param {Decoded} segment what the worker made
   * @param {number} time model time in frames, 0 … T-1
   * @param {View} view the part of the picture as it is displayed, in
   *   [0, 1]; x, y its corner
   * @param {{width: number, height: number}} size output px, by default the canvas's
   * @param {boolean} grain whether to draw the grain of a stream that has some
   */
  draw(segment, time, view = WHOLE, size = this.canvas, grain = true) {
    const gl = this.#gl;
    if (gl.isContextLost()) return;
    const { width, height } = size;
    const turns = segment.sequence.rotation / 90;
    const coded = turns % 2 === 0 ? { width, height } : { width: height, height: width };
    const part = unturned(view, turns);
    const { texture } = this.#sum(segment, time, part, coded);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.viewport(0, 0, width, height);
    gl.disable(gl.BLEND);
    const { program, at } = this.#made.colour;
    gl.useProgram(program);
    gl.uniform1i(at("sums"), 0);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.uniform3fv(at("base"), segment.base);
    gl.uniformMatrix3fv(at("rgb"), false, rgbMatrix(segment.sequence.matrix));
    gl.uniform2i(at("size"), width, height);
    gl.uniform1i(at("turns"), turns);
    this.#setGrain(grain ? segment.sequence.grain : null, segment, time, part, coded);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  /** @param {Grain | null} grain
   * @param {Decoded} segment
   * @param {number} time
   * @param {View} view
   * @param {Size} size */
  #setGrain(grain, segment, time, view, { width, height }) {
    const gl = this.#gl;
    const { at } = this.#made.colour;
    gl.uniform1i(at("hasGrain"), grain ? 1 : 0);
    gl.uniform1i(at("tiles"), 1); // integers and floats must not share a unit, also where nothing is read
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, this.#tilesOf(grain));
    gl.activeTexture(gl.TEXTURE0);
    if (!grain) return;
    const { sequence, times, checksum } = segment;
    const pitch = [(view.width * sequence.width) / width, (view.height * sequence.height) / height];
    const origin = [view.x * sequence.width, view.y * sequence.height];
    const whole = origin.map(Math.floor);
    // the shader gets small numbers, and none so small that a remainder would be negative
    const places = grainPlaces(checksum, frameAtModelTime(times, time)).flatMap((place, n) =>
      place.map((shift, axis) => SIDES[n] + ((shift + whole[axis]) % SIDES[n])),
    );
    gl.uniform4iv(at("places"), places);
    gl.uniform2fv(at("pitch"), pitch);
    gl.uniform2fv(at("origin"), [origin[0] - whole[0], origin[1] - whole[1]]);
    // where an output pixel covers more than two of the source, their mean is weaker
    const gain = Math.sqrt(Math.min(1, 2 / pitch[0]) * Math.min(1, 2 / pitch[1])) / (UNIT * STRENGTH_STEPS);
    gl.uniform1fv(at("strengths"), Float32Array.from(grain.strengths, (strength) => strength * gain));
  }

  /** A texture of integers: both tiles of a grain, one beside the other, or a single zero.
   * @param {Grain | null} grain */
  #tilesOf(grain) {
    const gl = this.#gl;
    const name = grain ? `${grain.seed} ${grain.kernel}` : "";
    if (this.#tiles?.name === name) return this.#tiles.texture;
    if (this.#tiles) gl.deleteTexture(this.#tiles.texture);
    const texture = makeTexture(gl, gl.R16I, grain ? SIDES[0] + SIDES[1] : 1, grain ? SIDES[0] : 1);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 2);
    for (const [n, tile] of (grain ? grainTiles(grain) : []).entries()) {
      gl.texSubImage2D(gl.TEXTURE_2D, 0, n * SIDES[0], 0, SIDES[n], SIDES[n], gl.RED_INTEGER, gl.SHORT, tile);
    }
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 4);
    this.#tiles = { name, texture };
    return texture;
  }

  /** The canvas's pixels after `draw`, in the same task: Uint8ClampedArray [height, width, 4], top row first.
   * @param {Size} size */
  read({ width, height } = this.canvas) {
    const gl = this.#gl;
    const below = new Uint8Array(width * height * 4);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, below);
    const pixels = new Uint8ClampedArray(below.length);
    const row = 4 * width;
    for (let y = 0; y < height; y++) pixels.set(below.subarray((height - 1 - y) * row, (height - y) * row), y * row);
    return pixels;
  }

  /** Waits until everything is drawn: for measurements. */
  finish() {
    this.#gl.finish();
    this.#gl.readPixels(0, 0, 1, 1, this.#gl.RGBA, this.#gl.UNSIGNED_BYTE, new Uint8Array(4));
  }

  dispose() {
    this.#gl.getExtension("WEBGL_lose_context")?.loseContext();
  }

  /** @param {Decoded} segment
   * @param {number} time
   * @param {View} view
   * @param {Size} size */
  #sum(segment, time, view, size) {
    const target = this.#targetOf(size.width, size.height);
    const { splats } = this.#made;
    if (splats) this.#sumOnGraphics(splats, target.framebuffer, segment, time, view, size);
    else this.#sumOnProcessor(target.texture, segment, time, view, size);
    return target;
  }

  /** @param {WebGLTexture} texture
   * @param {Decoded} segment
   * @param {number} time
   * @param {View} view
   * @param {Size} size */
  #sumOnProcessor(texture, segment, time, view, size) {
    const gl = this.#gl;
    const { width, height } = size;
    this.#sums ??= new Sums();
    this.#sums.draw(segment, time, view, size);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, width, height, gl.RGBA, gl.FLOAT, this.#sums.values);
  }

  /** @param {Program} splats
   * @param {WebGLFramebuffer | null} framebuffer
   * @param {Decoded} segment
   * @param {number} time
   * @param {View} view
   * @param {Size} size */
  #sumOnGraphics({ program, at }, framebuffer, segment, time, view, { width, height }) {
    const gl = this.#gl;
    const { header, sequence } = segment;
    gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    if (segment.numGaussians === 0) return;
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE);
    gl.useProgram(program);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.#textureOf(segment));
    const { first, weights } = splineWeights(time, header.numFrames, header.numPathControl);
    gl.uniform1i(at("gaussians"), 0);
    gl.uniform1i(at("texelsPerGaussian"), floatsPerGaussian(header.numPathControl) / 4);
    gl.uniform1f(at("time"), time);
    gl.uniform4iv(
      at("points"),
      weights.map((w, j) => (w === 0 ? -1 : first + j)),
    );
    gl.uniform4fv(at("weights"), weights);
    gl.uniform2f(at("scale"), width / (view.width * sequence.width), height / (view.height * sequence.height));
    gl.uniform2f(at("origin"), view.x * sequence.width, view.y * sequence.height);
    gl.uniform2f(at("size"), width, height);
    gl.drawArrays(gl.TRIANGLES, 0, 6 * segment.numGaussians);
  }

  /** @param {number} width
   * @param {number} height */
  #targetOf(width, height) {
    const gl = this.#gl;
    if (this.#target?.width === width && this.#target.height === height) return this.#target;
    if (this.#target) {
      gl.deleteTexture(this.#target.texture);
      gl.deleteFramebuffer(this.#target.framebuffer);
    }
    const texture = makeTexture(gl, this.format.internal, width, height);
    if (!this.#made.splats) return (this.#target = { width, height, texture, framebuffer: null });
    const framebuffer = gl.createFramebuffer();
    gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
    if (gl.checkFramebufferStatus(gl.FRAMEBUFFER) !== gl.FRAMEBUFFER_COMPLETE) {
      throw new BrowserError(`This browser's graphics cannot draw into ${this.format.name} of ${width}x${height}.`);
    }
    this.#target = { width, height, texture, framebuffer };
    return this.#target;
  }

  /** @param {Decoded} segment */
  #textureOf(segment) {
    const gl = this.#gl;
    let texture = this.#textures.get(segment);
    this.#textures.delete(segment);
    texture ??= makeDataTexture(gl, segment.gaussians);
    this.#textures.set(segment, texture);
    for (const [old, unused] of this.#textures) {
      if (this.#textures.size <= KEPT_TEXTURES) break;
      gl.deleteTexture(unused);
      this.#textures.delete(old);
    }
    return texture;
  }
}

/** @typedef {ReturnType<typeof makeProgram>} Program */

/** @type {View} */
export const WHOLE = Object.freeze({ x: 0, y: 0, width: 1, height: 1 });

/** A part of the picture as displayed, as a part of the picture as coded.
 * @param {View} view
 * @param {number} turns
 * @returns {View} */
function unturned(view, turns) {
  const { x, y, width, height } = view;
  if (turns === 1) return { x: y, y: 1 - x - width, width: height, height: width };
  if (turns === 2) return { x: 1 - x - width, y: 1 - y - height, width, height };
  if (turns === 3) return { x: 1 - y - height, y: x, width: height, height: width };
  return view;
}

/** @param {WebGL2RenderingContext} gl
 * @param {number} internal
 * @param {number} width
 * @param {number} height */
function makeTexture(gl, internal, width, height) {
  const texture = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, texture);
  gl.texStorage2D(gl.TEXTURE_2D, 1, internal, width, height);
  for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, name, gl.NEAREST);
  return texture;
}

/** Gaussians as a texture of four floats a texel, row by row.
 * @param {WebGL2RenderingContext} gl
 * @param {Float32Array} gaussians */
function makeDataTexture(gl, gaussians) {
  const rows = Math.ceil(gaussians.length / 4 / DATA_WIDTH);
  const most = gl.getParameter(gl.MAX_TEXTURE_SIZE);
  if (rows > most)
    throw new BrowserError(`A segment with ${gaussians.length} parameters is too large for this browser's graphics.`);
  const texture = makeTexture(gl, gl.RGBA32F, DATA_WIDTH, rows);
  const padded = new Float32Array(rows * DATA_WIDTH * 4);
  padded.set(gaussians);
  gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, DATA_WIDTH, rows, gl.RGBA, gl.FLOAT, padded);
  return texture;
}

/** @param {WebGL2RenderingContext} gl
 * @param {string} vertex
 * @param {string} fragment */
function makeProgram(gl, vertex, fragment) {
  const program = gl.createProgram();
  for (const { kind, text } of [
    { kind: gl.VERTEX_SHADER, text: vertex },
    { kind: gl.FRAGMENT_SHADER, text: fragment },
  ]) {
    const shader = gl.createShader(kind);
    if (!shader) continue; // the graphics are lost; this is done again when they come back
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost()) {
      throw new BrowserError(`This browser's graphics refused a shader: ${gl.getShaderInfoLog(shader)}`);
    }
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  /** @type {Map<string, WebGLUniformLocation | null>} */
  const places = new Map();
  /** @param {string} name */
  const at = (name) => {
    const place = places.get(name) ?? gl.getUniformLocation(program, name);
    places.set(name, place);
    return place;
  };
  return { program, at };
}
