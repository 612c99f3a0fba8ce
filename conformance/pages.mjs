// A person sets up their account, signs in and looks after it, in Chromium: on a phone and at a
// desk, light and dark, in Chinese and English. Each page is looked at with axe, and for what a
// person would see: nothing cut off, nothing refused by the page's own policy, what was wrong said
// first. TONGHU_PICTURES=FOLDER keeps what was seen.
import "./webcrypto.mjs";
import { createHash, createHmac } from "node:crypto";
import { createServer } from "node:http";
import axe from "axe-core";
import { chromium } from "playwright-core";
import { finish, say, told } from "./told.mjs";

const SIZES = { phone: { width: 390, height: 844 }, desk: { width: 1280, height: 800 } };
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const NEW = "湖边 seven lanterns";
const app = createServer((_, answer) => answer.end("back"));
await new Promise((listening) => app.listen(new URL(told.callback).port, "127.0.0.1", listening));
const browser = await chromium.launch({
  executablePath: told.chromium,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

/** Return the code that an authenticator shows, `ahead` half minutes from now (RFC 6238). */
function totp(secret, ahead = 0) {
  const bits = [...secret].map((each) =>
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(each).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((each) => parseInt(each, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + ahead));
  const digest = createHmac("sha1", key).update(counter).digest();
  const at = digest.readUInt32BE(digest[19] & 15) & 0x7fffffff;
  return String(at % 1_000_000).padStart(6, "0");
}

async function play({ device, language, scheme, username, code }) {
  const context = await browser.newContext({
    viewport: SIZES[device], deviceScaleFactor: 2, isMobile: device === "phone",
    hasTouch: device === "phone", colorScheme: scheme,
    locale: language === "zh" ? "zh-CN" : "en-GB",
  });
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (each) => {
    // What was refused is answered with 4xx, which Chromium writes down as well.
    if (!/status of 4\d\d/.test(each.text())) complaints.push(each.text());
  });
  page.on("pageerror", (each) => complaints.push(each.message));

  async function look(step, { refused = false } = {}) {
    await page.evaluate(axe.source);
    const seen = await page.evaluate(async (tags) => {
      const run = await globalThis.axe.run(document, { runOnly: tags });
      const wide = document.scrollingElement.scrollWidth - globalThis.innerWidth;
      return {
        lang: document.documentElement.lang,
        wrong: run.violations.map((each) => `${each.id}: ${each.nodes[0].html}`),
        checked: run.passes.length,
        wide,
        focus: document.activeElement.id,
        errors: document.querySelectorAll("#error").length,
      };
    }, TAGS);
    const wrong = [...seen.wrong, ...complaints.splice(0)];
    if (seen.checked < 10) wrong.push(`axe looked at ${seen.checked} things`);
    if (seen.wide > 0) wrong.push(`${seen.wide} px are cut off`);
    if (seen.lang !== (language === "zh" ? "zh-CN" : "en")) wrong.push(`lang is ${seen.lang}`);
    if ((seen.errors > 0) !== refused) wrong.push(`${seen.errors} errors are shown`);
    if (refused && seen.focus !== "error") wrong.push(`the focus is at ${seen.focus}`);
    say(`${device} ${language} ${step}`, wrong.length ? wrong : "well");
    if (told.pictures) {
      const path = `${told.pictures}/${device}-${language}-${scheme}-${step.replaceAll(" ", "-")}.png`;
      await page.screenshot({ path, fullPage: true });
    }
  }
  async function send(fields, button = "main form:first-of-type button[type=submit]") {
    for (const [name, value] of Object.entries(fields)) await page.fill(`[name=${name}]`, value);
    await Promise.all([page.waitForNavigation(), page.locator(button).first().click()]);
  }

  const lang = `lang=${language}`;
  await page.goto(`${told.issuer}/oauth/invitation?${lang}`);
  await look("invitation");
  await send({ code: "AAAA-BBBB-CCCC" });
  await look("invitation refused", { refused: true });
  await send({ code });
  await look("new password");
  await send({ new_password: NEW, again: `${NEW}!` });
  await look("new password refused", { refused: true });
  await send({ new_password: NEW, again: NEW });
  await look("authenticator");
  const secret = (await page.locator(".secret").textContent()).replaceAll(" ", "");
  await send({ code: totp(secret) });
  await look("done");
  const [paper] = await page.locator(".codes code").allTextContents();

  const verifier = "v".repeat(50);
  const challenge = createHash("sha256").update(verifier).digest("base64url");
  const asked = new URLSearchParams({
    response_type: "code", client_id: told.app, redirect_uri: told.callback, state: "s",
    code_challenge: challenge, code_challenge_method: "S256", ui_locales: language,
  });
  await page.goto(`${told.issuer}/oauth/authorize?${asked}`);
  await look("sign in");
  await send({ username, password: "wrong wrong wrong" });
  await look("sign in refused", { refused: true });
  await send({ username, password: NEW });
  await look("second factor");
  await send({ code: totp(secret, 1) });
  await look("posts");
  await send({});
  const back = new URL(page.url());
  const token = await fetch(`${told.issuer}/oauth/token`, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "authorization_code", client_id: told.app, redirect_uri: told.callback,
      code: back.searchParams.get("code"), code_verifier: verifier,
    }),
  });
  say(`${device} ${language} signed in`, token.status);

  await page.goto(`${told.issuer}/oauth/account?${lang}`);
  await look("account sign in");
  await send({ username, password: NEW });
  if (await page.locator("[name=code]").count()) await send({ code: paper });
  await look("account");
  await send({}, "section[aria-labelledby=open] button");
  await look("account ended");
  await send({}, "button[value=password]");
  await look("change password");
  asked.set("client_id", "01a22345-0000-7000-8000-000000000000");
  await page.goto(`${told.issuer}/oauth/authorize?${asked}`);
  await look("stopped");
  await context.close();
}

for (const person of told.people) await play(person);
await browser.close();
app.close();
finish();
