/** The look of <gvideo-player> within its shadow tree. */

export const STYLE = `
:host { display: inline-block; position: relative; max-width: 100%; background: #000; overflow: hidden; }
:host([hidden]) { display: none; }
:host > *, canvas { display: block; }
.picture, .picture > canvas, .picture > video { width: 100%; height: 100%; object-fit: contain; }
.picture.player { border-radius: 0; min-width: 0; width: 100%; }
.poster { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; pointer-events: none; }
.poster[hidden], .caption:empty { display: none; }
.caption { position: absolute; inset: auto 5% 6%; margin: auto; width: fit-content; padding: 0.1em 0.5em;
  white-space: pre-line; text-align: center; font: 1.1em system-ui, sans-serif; color: #fff;
  background: rgb(0 0 0 / 70%); }
video.remote { display: none; }
video.hidden { position: absolute; width: 1px; height: 1px; opacity: 0; pointer-events: none; }
`;
