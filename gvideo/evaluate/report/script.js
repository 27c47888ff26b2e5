// Side by side: two pictures over each other, the upper one cut at the slider or where the pointer is.
document.querySelectorAll(".compare").forEach((box) => {
  const pair = box.querySelector(".pair"), slider = box.querySelector("input[type=range]");
  const [under, over] = box.querySelectorAll("img"), [left, right] = box.querySelectorAll("select");
  const shots = JSON.parse(box.querySelector("script").textContent);
  const cut = (value) => { slider.value = value; pair.style.setProperty("--cut", value + "%"); };
  const show = (image, select) => { const s = shots[select.value]; image.src = s.url; image.alt = s.label; };
  left.addEventListener("change", () => show(under, left));
  right.addEventListener("change", () => show(over, right));
  slider.addEventListener("input", () => cut(slider.value));
  const follow = (event) => {
    const area = pair.getBoundingClientRect();
    cut(Math.min(100, Math.max(0, (100 * (event.clientX - area.left)) / area.width)));
  };
  pair.addEventListener("pointerdown", (event) => { pair.setPointerCapture(event.pointerId); follow(event); });
  pair.addEventListener("pointermove", (event) => { if (event.buttons) follow(event); });
  show(under, left); show(over, right); cut(50);
});
