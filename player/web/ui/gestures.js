/** Pointer, wheel and touch on the picture: a click plays, two go to full screen, wheel and pinch zoom, a drag pans. */

/** @import { GVideoPlayer } from "../gvideo-player.js" */

const DOUBLE_MS = 280;
/** Movement below this many CSS pixels is a click. */
const CLICK_PX = 6;
const ZOOM_STEP = 1.2;
const SKIP_S = 5;

export class Gestures {
  #player;
  /** @type {Map<number, {x: number, y: number, startX: number, startY: number}>} */
  #pointers = new Map();
  #moved = false;
  #pinch = 0;
  /** @type {ReturnType<typeof setTimeout> | null} */
  #click = null;

  /** actions: {toggleControls, toggleFullscreen, togglePlay}
   * @param {HTMLElement} stage
   * @param {GVideoPlayer} player
   * @param {{toggleControls: () => void, toggleFullscreen: () => void, togglePlay: () => void}} actions */
  constructor(stage, player, actions) {
    this.stage = stage;
    this.actions = actions;
    this.#player = player;
    stage.addEventListener("pointerdown", (event) => this.#down(event));
    stage.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of /** @type {const} */ (["pointerup", "pointercancel"]))
      stage.addEventListener(name, (event) => this.#up(event));
    stage.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
  }

  /** Zooms about a point of the stage (client coordinates; by default its middle).
   * @param {number} factor
   * @param {number | null} clientX
   * @param {number | null} clientY */
  zoom(factor, clientX = null, clientY = null) {
    const { x, y, width, height } = this.#player.view;
    const [px, py] = clientX === null || clientY === null ? [0.5, 0.5] : this.#place(clientX, clientY);
    const size = Math.min(width / factor, 1);
    const scale = size / width;
    this.#player.view = {
      x: x + px * width * (1 - scale),
      y: y + py * height * (1 - scale),
      width: size,
      height: height * scale,
    };
  }

  /** Where a point is on the picture, in [0, 1].
   * @param {number} clientX
   * @param {number} clientY
   * @returns {[number, number]} */
  #place(clientX, clientY) {
    const box = this.stage.getBoundingClientRect();
    return [(clientX - box.left) / box.width, (clientY - box.top) / box.height];
  }

  get zoomed() {
    return this.#player.view.width < 1;
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (event.button !== 0) return;
    this.stage.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, {
      x: event.clientX,
      y: event.clientY,
      startX: event.clientX,
      startY: event.clientY,
    });
    if (this.#pointers.size === 1) this.#moved = false;
    this.#pinch = this.#spread();
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const pointer = this.#pointers.get(event.pointerId);
    if (!pointer) return;
    const [dx, dy] = [event.clientX - pointer.x, event.clientY - pointer.y];
    Object.assign(pointer, { x: event.clientX, y: event.clientY });
    if (Math.hypot(event.clientX - pointer.startX, event.clientY - pointer.startY) > CLICK_PX) this.#moved = true;
    if (this.#pointers.size === 2) {
      const spread = this.#spread();
      const [a, b] = this.#pointers.values();
      if (this.#pinch > 0 && spread > 0) this.zoom(spread / this.#pinch, (a.x + b.x) / 2, (a.y + b.y) / 2);
      this.#pinch = spread;
    } else if (this.zoomed && this.#moved) this.#pan(dx, dy);
  }

  /** @param {number} dx
   * @param {number} dy */
  #pan(dx, dy) {
    const box = this.stage.getBoundingClientRect();
    const { x, y, width, height } = this.#player.view;
    this.#player.view = { x: x - (dx / box.width) * width, y: y - (dy / box.height) * height, width, height };
  }

  #spread() {
    if (this.#pointers.size !== 2) return 0;
    const [a, b] = this.#pointers.values();
    return Math.hypot(a.x - b.x, a.y - b.y);
  }

  /** @param {PointerEvent} event */
  #up(event) {
    if (!this.#pointers.delete(event.pointerId) || this.#moved || event.type === "pointercancel") return;
    const touch = event.pointerType === "touch";
    if (this.#click) {
      clearTimeout(this.#click);
      this.#click = null;
      this.#double(touch, this.#place(event.clientX, event.clientY)[0]);
      return;
    }
    this.#click = setTimeout(() => {
      this.#click = null;
      if (touch) this.actions.toggleControls();
      else this.actions.togglePlay();
    }, DOUBLE_MS);
  }

  /** Two taps on the left or right third skip, elsewhere and with a mouse they go to full screen.
   * @param {boolean} touch
   * @param {number} place */
  #double(touch, place) {
    const player = this.#player;
    if (touch && place < 1 / 3) player.seek(player.currentTime - SKIP_S);
    else if (touch && place > 2 / 3) player.seek(player.currentTime + SKIP_S);
    else this.actions.toggleFullscreen();
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    if (!event.ctrlKey && !this.zoomed && event.deltaY > 0) return; // the page scrolls
    event.preventDefault();
    this.zoom(ZOOM_STEP ** (-event.deltaY / 100), event.clientX, event.clientY);
  }
}
