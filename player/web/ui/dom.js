/** Elements in one line, icons, and numbers as text. */

/** An element of a tag with properties (`class`, data- and aria- attributes, listeners as onclick) and children.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, unknown>} properties
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]} */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element && !name.startsWith("aria")) Object.assign(element, { [name]: value });
    else element.setAttribute(name === "className" ? "class" : name, String(value));
  }
  element.append(...children);
  return element;
}

/** Shapes on a grid of 24, drawn for this page. */
const SHAPES = {
  play: "M7 4.5v15l12.5-7.5z",
  pause: "M6.5 4.5h4v15h-4zM13.5 4.5h4v15h-4z",
  again: "M12 5V1.5L6.5 6 12 10.5V7a5.5 5.5 0 1 1-5.5 5.5h-2A7.5 7.5 0 1 0 12 5z",
  back: "M8 5v14H5.5V5zM18.5 5v14L9.5 12z",
  forward: "M16 5v14h2.5V5zM5.5 5v14L14.5 12z",
  sound: "M4 9v6h4l5 4.5v-15L8 9zM15.5 8.5a5 5 0 0 1 0 7zM17.5 5.5a9 9 0 0 1 0 13l-1.2-1.6a7 7 0 0 0 0-9.8z",
  muted: "M4 9v6h4l5 4.5v-15L8 9zM15.5 9.5l5 5m0-5l-5 5",
  captions: "M3 5h18v14H3zM10.5 10.3a2.6 2.6 0 1 0 0 3.4M17.5 10.3a2.6 2.6 0 1 0 0 3.4",
  cast: "M3 8V5h18v14h-7M3 18.9v.1M3 15a4 4 0 0 1 4 4M3 11a8 8 0 0 1 8 8",
  compare: "M11.25 3h1.5v18h-1.5zM9 8.5v7L4.5 12zM15 8.5v7l4.5-3.5z",
  settings:
    "M4 6.25h9v1.5H4zM17 6.25h3v1.5h-3zM13.5 4.5h2.5v5h-2.5zM4 11.25h3v1.5H4zM11 11.25h9v1.5h-9z" +
    "M7.5 9.5H10v5H7.5zM4 16.25h9v1.5H4zM17 16.25h3v1.5h-3zM13.5 14.5h2.5v5h-2.5z",
  full: "M4 9.5V4h5.5v2H6v3.5zM14.5 4H20v5.5h-2V6h-3.5zM20 14.5V20h-5.5v-2H18v-3.5zM9.5 20H4v-5.5h2V18h3.5z",
  small: "M9.5 4v5.5H4v-2h3.5V4zM14.5 9.5V4h2v3.5H20v2zM14.5 20v-5.5H20v2h-3.5V20zM4 14.5h5.5V20h-2v-3.5H4z",
};
/** Shapes that are lines, not areas. */
const OUTLINED = new Set(["captions", "cast", "muted"]);

/** @param {keyof typeof SHAPES} name */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(svg.namespaceURI, "path");
  path.setAttribute("d", SHAPES[name]);
  if (OUTLINED.has(name)) path.setAttribute("class", "outlined");
  svg.append(path);
  return svg;
}

/** A button with an icon. `label` is what it is called and the hint it shows.
 * @param {keyof typeof SHAPES} name
 * @param {string} label
 * @param {() => void} onclick */
export function iconButton(name, label, onclick) {
  const button = make("button", { type: "button", className: "icon", onclick });
  setIcon(button, name, label);
  return button;
}

/** @param {HTMLElement} button
 * @param {keyof typeof SHAPES} name
 * @param {string} label */
export function setIcon(button, name, label) {
  button.replaceChildren(icon(name));
  button.title = label;
  button.setAttribute("aria-label", label.replace(/ \(.*\)$/, ""));
}

/** 75.3 as 1:15; hours when there are any; tenths if wanted.
 * @param {number} seconds
 * @param {boolean} tenths */
export function clockText(seconds, tenths = false) {
  const whole = Math.floor(Math.max(seconds, 0) * (tenths ? 10 : 1)) / (tenths ? 10 : 1);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const rest = (whole % 60).toFixed(tenths ? 1 : 0).padStart(tenths ? 4 : 2, "0");
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** A rate in bits/s as text.
 * @param {number} bits */
export function rateText(bits) {
  if (!(bits > 0)) return "–";
  return bits < 1e6 ? `${Math.round(bits / 1000)} kbit/s` : `${(bits / 1e6).toFixed(2)} Mbit/s`;
}

/** @param {number} bytes */
export function sizeText(bytes) {
  return bytes < 1e6 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(2)} MB`;
}
