// Draws a segment over its frames. Data stands in the page: JSON with numbers, arrays as base64, pictures as data URLs.

/**
 * @typedef {{width: number, height: number, frames: number, scale: number, step: number, layers: number,
 *   pictures: string[], bits: string[], errors: string[], seconds: number[],
 *   axes: string, angles: string, centres: string, lives: string, layerOf: string, cost: string, paths: string,
 *   colours: string}} Page
 */

/** @param {string} id @returns {HTMLElement} */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
/** @param {string} id @returns {HTMLInputElement} */
const input = (id) => /** @type {HTMLInputElement} */ (element(id));
/** @param {string} id @returns {HTMLCanvasElement} */
const canvas = (id) => /** @type {HTMLCanvasElement} */ (element(id));
/** @param {string} text @returns {ArrayBuffer} */
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;

/** @type {Page} */
const page = JSON.parse(element("data").textContent || "{}");
const axes = new Float32Array(bytes(page.axes));
const angles = new Float32Array(bytes(page.angles));
const centres = new Float32Array(bytes(page.centres));
const lives = new Float32Array(bytes(page.lives));
const layerOf = new Uint8Array(bytes(page.layerOf));
const cost = new Float32Array(bytes(page.cost));
const paths = new Int16Array(bytes(page.paths));
const colours = new Uint8Array(bytes(page.colours));
const count = angles.length;
// drawn by the processor: Chromium, while it moves a canvas that is read away from the GPU, may lose a clearRect
const stage = /** @type {CanvasRenderingContext2D} */ (canvas("stage").getContext("2d", { willReadFrequently: true }));
const timeline = /** @type {CanvasRenderingContext2D} */ (canvas("lives").getContext("2d"));

/** @type {Map<string, HTMLImageElement>} */
const images = new Map();
/** What was drawn last, for tests. */
const drawn = { frame: -1, ellipses: 0, paths: 0, lives: 0, pictures: 0 };
Object.assign(window, { drawn });

/** Weight of a life in a frame; 0 where it is over. @param {number} n @param {number} frame */
function weight(n, frame) {
  if (!lives[n]) return 1;
  const exponent = -0.5 * ((frame - centres[n]) / lives[n]) ** 2;
  return exponent < -5 ? 0 : Math.exp(exponent);
}

/** @param {number} n */
const isShown = (n) => input(`layer${layerOf[n]}`).checked;

/**
 * Position of a Gaussian in a frame, in px of the canvas.
 * @param {number} n @param {number} frame @returns {[number, number]}
 */
function position(n, frame) {
  const at = 2 * (frame * count + n);
  return [(paths[at] / page.step + 0.5) * page.scale, (paths[at + 1] / page.step + 0.5) * page.scale];
}

/** @param {string} url @returns {Promise<HTMLImageElement>} */
async function picture(url) {
  let image = images.get(url);
  if (!image) {
    image = new Image();
    image.src = url;
    images.set(url, image);
  }
  await image.decode();
  return image;
}

/** @param {number} frame */
function drawEllipses(frame) {
  for (let n = 0; n < count; n += 1) {
    const alpha = weight(n, frame);
    if (alpha === 0 || !isShown(n)) continue;
    const [x, y] = position(n, frame);
    stage.globalAlpha = 0.2 + 0.8 * alpha;
    stage.strokeStyle = `rgb(${colours[3 * n]}, ${colours[3 * n + 1]}, ${colours[3 * n + 2]})`;
    stage.beginPath();
    stage.ellipse(x, y, axes[2 * n] * page.scale, axes[2 * n + 1] * page.scale, angles[n], 0, 2 * Math.PI);
    stage.stroke();
    drawn.ellipses += 1;
  }
  stage.globalAlpha = 1;
}

/** @param {number} frame */
function drawPaths(frame) {
  stage.strokeStyle = "#ffd54a";
  stage.globalAlpha = 0.6;
  for (let n = 0; n < count; n += 1) {
    if (weight(n, frame) === 0 || !isShown(n)) continue;
    stage.beginPath();
    for (let t = 0; t < page.frames; t += 1) stage.lineTo(...position(n, t));
    stage.stroke();
    drawn.paths += 1;
  }
  stage.globalAlpha = 1;
}

/** @param {number} frame */
function drawLives(frame) {
  const { width, height } = canvas("lives");
  timeline.clearRect(0, 0, width, height);
  const shown = [...angles.keys()].filter(isShown);
  const rows = Math.min(shown.length, height);
  for (let row = 0; row < rows; row += 1) {
    const n = shown[Math.floor((row * shown.length) / rows)];
    const reach = lives[n] ? Math.sqrt(10) * lives[n] : page.frames;
    const left = lives[n] ? Math.max(0, centres[n] - reach) : 0;
    const right = lives[n] ? Math.min(page.frames, centres[n] + reach + 1) : page.frames;
    timeline.fillStyle = weight(n, frame) > 0 ? "#6fb7ff" : "#3a4a5c";
    timeline.fillRect((left * width) / page.frames, (row * height) / rows, ((right - left) * width) / page.frames, 1);
    drawn.lives += 1;
  }
  timeline.fillStyle = "#ff5a5a";
  timeline.fillRect(((frame + 0.5) * width) / page.frames, 0, 1, height);
}

/** Times that something was to be drawn; pictures of one time may be there later than those of the next. */
let turns = 0;

async function draw() {
  const turn = (turns += 1);
  const frame = Number(input("frame").value);
  const { width, height } = canvas("stage");
  const urls = [["picture", page.pictures], ["bits", page.bits], ["error", page.errors]].flatMap(([id, all]) =>
    input(String(id)).checked && all[frame] ? [[String(id), all[frame]]] : [],
  );
  const shown = await Promise.all(urls.map(([, url]) => picture(url)));
  if (turn !== turns) return; // what was asked for later is drawn already, or will be
  Object.assign(drawn, { ellipses: 0, paths: 0, lives: 0, pictures: shown.length });
  stage.clearRect(0, 0, width, height);
  shown.forEach((image, k) => {
    stage.globalAlpha = k > 0 ? 0.7 : 1;
    stage.drawImage(image, 0, 0, width, height);
  });
  stage.globalAlpha = 1;
  if (input("paths").checked) drawPaths(frame);
  if (input("ellipses").checked) drawEllipses(frame);
  if (input("lifelines").checked) drawLives(frame);
  else timeline.clearRect(0, 0, canvas("lives").width, canvas("lives").height);
  element("time").textContent = `frame ${frame}, ${page.seconds[frame].toFixed(3)} s, ${drawn.ellipses} ellipses`;
  drawn.frame = frame;
}

/** Tells about the Gaussian nearest to a place. @param {MouseEvent} event */
function tell(event) {
  const frame = Number(input("frame").value);
  const box = canvas("stage").getBoundingClientRect();
  const x = ((event.clientX - box.left) * canvas("stage").width) / box.width;
  const y = ((event.clientY - box.top) * canvas("stage").height) / box.height;
  let best = -1;
  let least = Infinity;
  for (let n = 0; n < count; n += 1) {
    const [px, py] = position(n, frame);
    const distance = (px - x) ** 2 + (py - y) ** 2;
    if (distance < least && weight(n, frame) > 0 && isShown(n)) [best, least] = [n, distance];
  }
  if (best < 0) return;
  const life = lives[best] ? `life ${centres[best].toFixed(1)} ± ${lives[best].toFixed(1)} frames` : "permanent";
  element("about").textContent =
    `Gaussian ${best}: layer ${layerOf[best] + 1}, ${cost[best].toFixed(1)} bits, scales ` +
    `${axes[2 * best].toFixed(2)} × ${axes[2 * best + 1].toFixed(2)} px, ${life}`;
}

for (const control of document.querySelectorAll("input")) control.addEventListener("input", draw);
canvas("stage").addEventListener("click", tell);
canvas("lives").addEventListener("click", (event) => {
  const box = canvas("lives").getBoundingClientRect();
  input("frame").value = String(Math.floor(((event.clientX - box.left) / box.width) * page.frames));
  draw();
});
draw();
