/** Attributes of a media element as properties (HTML, reflected content attributes). */

export class ReflectedElement extends HTMLElement {
  get src() {
    return this.#address("src");
  }

  set src(src) {
    this.setAttribute("src", src);
  }

  get poster() {
    return this.#address("poster");
  }

  set poster(poster) {
    this.setAttribute("poster", poster);
  }

  get autoplay() {
    return this.hasAttribute("autoplay");
  }

  set autoplay(on) {
    this.toggleAttribute("autoplay", on);
  }

  get loop() {
    return this.hasAttribute("loop");
  }

  set loop(on) {
    this.toggleAttribute("loop", on);
  }

  get controls() {
    return this.hasAttribute("controls");
  }

  set controls(on) {
    this.toggleAttribute("controls", on);
  }

  get defaultMuted() {
    return this.hasAttribute("muted");
  }

  set defaultMuted(on) {
    this.toggleAttribute("muted", on);
  }

  get disableRemotePlayback() {
    return this.hasAttribute("disableremoteplayback");
  }

  set disableRemotePlayback(on) {
    this.toggleAttribute("disableremoteplayback", on);
  }

  get preload() {
    const value = this.getAttribute("preload");
    return value === "none" || value === "metadata" ? value : "auto";
  }

  set preload(preload) {
    this.setAttribute("preload", preload);
  }

  get crossOrigin() {
    return this.getAttribute("crossorigin");
  }

  set crossOrigin(value) {
    if (value === null) this.removeAttribute("crossorigin");
    else this.setAttribute("crossorigin", value);
  }

  /** Absolute, "" without one.
   * @param {string} name
   * @returns {string} */
  #address(name) {
    const value = this.getAttribute(name);
    return value ? new URL(value, this.baseURI).href : "";
  }
}
