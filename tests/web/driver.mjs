// Drives Chromium for pytest: one JSON request a line in, one JSON answer a line out.
//   {op: "open", url, width, height}    a page of its own; answers its id
//   {op: "evaluate", page, script}      the value of an async function body in the page
//   {op: "screenshot", page, path}      {op: "press", page, key}    {op: "close", page}
// A page's console errors and uncaught exceptions come with every answer as `complaints`; `external` lists requests to
// other hosts than the page's own.
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const ARGUMENTS = [
  "--no-sandbox",
  "--use-angle=swiftshader",
  "--enable-unsafe-swiftshader",
  "--autoplay-policy=no-user-gesture-required",
];
const browser = await chromium.launch({ executablePath: process.argv[2], headless: true, args: ARGUMENTS });
const context = await browser.newContext();
const pages = new Map();

const operations = {
  async open({ url, width = 800, height = 600 }) {
    const page = await context.newPage();
    await page.setViewportSize({ width, height });
    page.complaints = [];
    page.external = [];
    page.on("pageerror", (error) => page.complaints.push(String(error)));
    page.on("request", (request) => {
      const other = new URL(request.url());
      if (other.protocol.startsWith("http") && other.host !== new URL(url).host) page.external.push(request.url());
    });
    const id = pages.size;
    pages.set(id, page);
    await page.goto(url);
    return { value: id, page };
  },
  async evaluate({ page, script }) {
    return page.evaluate((body) => Object.getPrototypeOf(async () => {}).constructor(body)(), script);
  },
  screenshot: ({ page, path }) => page.screenshot({ path }).then(() => null),
  press: ({ page, key }) => page.keyboard.press(key),
  close: ({ page }) => page.close(),
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  const answer = {};
  try {
    let page = pages.get(request.page);
    answer.value = await operations[request.op]({ ...request, page });
    if (request.op === "open") ({ value: answer.value, page } = answer.value);
    Object.assign(answer, { complaints: page.complaints, external: page.external });
  } catch (error) {
    answer.error = String(error);
  }
  console.log(JSON.stringify(answer));
}
await browser.close();
