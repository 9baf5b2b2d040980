#!/usr/bin/env node
// Opens HTML reports in a headless Chromium and exits 1 if one does not keep its promises: no
// network, no console message, no finding of axe-core, rows that can be searched, filtered and sorted,
// a table that is whole without scripts, and a page that prints.
//
//   node report.mjs MODULES PAGE...        MODULES is the folder with axe-core and playwright-core
//
// SHOTS=FOLDER also takes screenshots, wide and narrow, light and dark.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, ...pages] = process.argv.slice(2);
const require = createRequire(join(resolve(modules), "package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const SIZES = { wide: { width: 1280, height: 900 }, narrow: { width: 390, height: 844 } };

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-dev-shm-usage"],
});
try {
  for (const file of pages) await check(resolve(file));
} finally {
  await browser.close();
}

async function opened(file, options, look) {
  const context = await browser.newContext({ offline: true, ...options });
  const page = await context.newPage();
  const said = [];
  page.on("console", (message) => said.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => said.push(`error: ${error.message}`));
  page.on("request", (request) => {
    if (request.url() !== pathToFileURL(file).href) said.push(`request: ${request.url()}`);
  });
  await page.goto(pathToFileURL(file).href);
  await look(page);
  assert.deepEqual(said, [], `${basename(file)} is silent`);
  await context.close();
}

async function check(file) {
  const name = basename(file, ".html");
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const colorScheme of ["light", "dark"]) {
      await opened(file, { viewport, colorScheme }, async (page) => {
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(width <= viewport.width, `${name}, ${size}: the page is ${width} wide`);
        await page.evaluate(axe);
        // A table of thousands of rows says nothing that its first rows do not say.
        await page.evaluate(() => document.querySelectorAll("#rows tbody tr:nth-child(n+40)").forEach((row) => row.remove()));
        const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
        const found = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes[0].html.slice(0, 200)} ${nodes[0].failureSummary}`);
        assert.deepEqual(found, [], `${name}, ${size}, ${colorScheme}: axe-core finds nothing`);
        if (process.env.SHOTS) {
          const path = join(process.env.SHOTS, `${name}-${size}-${colorScheme}.png`);
          await page.screenshot({ path, fullPage: true });
        }
      });
    }
  }
  await opened(file, { viewport: SIZES.wide }, useTable);
  await opened(file, { viewport: SIZES.wide, javaScriptEnabled: false }, async (page) => {
    assert.equal(await page.locator("#tools:visible").count(), 0, "controls need a script");
    const [all, seen] = [await page.locator("#rows tbody tr").count(), await page.locator("#rows tbody tr:visible").count()];
    assert.equal(seen, all, "every row is there without a script");
    assert.ok(await page.locator("h1").isVisible());
  });
  await opened(file, { viewport: SIZES.wide, colorScheme: "dark" }, async (page) => {
    await page.emulateMedia({ media: "print" });
    assert.equal(await page.locator("#tools:visible").count(), 0, "controls are not printed");
    const pdf = await page.pdf({ format: "A4", printBackground: true });
    assert.equal(pdf.subarray(0, 5).toString(), "%PDF-");
    if (process.env.SHOTS) await page.screenshot({ path: join(process.env.SHOTS, `${name}-print.png`), fullPage: true });
  });
}

async function useTable(page) {
  const rows = page.locator("#rows tbody tr");
  const all = await rows.count();
  if (all === 0) return;
  const seen = () => page.evaluate(() => [...document.querySelectorAll("#rows tbody tr")].filter((row) => !row.hidden).map((row) => [...row.cells].map((cell) => cell.textContent)));
  const [first, ...rest] = await seen();
  assert.equal(rest.length + 1, all);

  await page.fill("#search", first[3].toUpperCase());
  await page.waitForFunction((all) => !document.querySelector("#shown").textContent.startsWith(`${all} `) || all === 1, all);
  const found = await seen();
  assert.ok(found.length >= 1 && found.every((cells) => cells.join("\n").toLowerCase().includes(first[3].toLowerCase())));
  await page.fill("#search", "surely nowhere");
  await page.waitForFunction(() => document.querySelector("#shown").textContent.startsWith("0 of"));
  await page.fill("#search", "");
  await page.waitForFunction((all) => document.querySelector("#shown").textContent.startsWith(all.toLocaleString("en")), all);

  await page.selectOption("#status", first[4]);
  assert.ok((await seen()).every((cells) => cells[4] === first[4]));
  await page.selectOption("#status", "");

  // By keyboard alone.
  const head = page.locator("#rows thead th").first();
  await head.locator("button").focus();
  await page.keyboard.press("Enter");
  assert.equal(await head.getAttribute("aria-sort"), "ascending");
  await page.keyboard.press("Enter");
  assert.equal(await head.getAttribute("aria-sort"), "descending");
  const numbers = (await seen()).map((cells) => Number(cells[0]));
  assert.deepEqual(numbers, [...numbers].sort((one, other) => other - one));
}
