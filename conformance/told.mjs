// What the scripts here share: the story they are told, a browser that signs in, and what they say.
import { readFileSync } from "node:fs";

export const told = JSON.parse(readFileSync(0, "utf8"));
const said = [];

/** Note what a step came to. */
export function say(step, outcome) {
  said.push([step, outcome]);
}

/** Note that a step failed, and what the answer says. */
export async function sayRefused(step, attempt) {
  try {
    await attempt();
    say(step, "was let through");
  } catch (error) {
    say(step, refusal(error));
  }
}

function refusal(error) {
  for (let each = error; each; each = each.cause) {
    if (Array.isArray(each)) {
      const { parameters } = each[0];
      return `${parameters.error}: ${parameters.error_description ?? ""}`;
    }
    if (each.error_description) return `${each.error}: ${each.error_description}`;
  }
  return `${error.name}: ${error.message}`;
}

export function finish() {
  process.stdout.write(JSON.stringify(said));
}

/** Import the client's own key, as its library wants it. */
export function privateKey(jwk) {
  return crypto.subtle.importKey("jwk", jwk, { name: "ECDSA", namedCurve: "P-256" }, false, [
    "sign",
  ]);
}

/** Sign in as a person does in a browser; return where the app is called back. */
export async function signIn(url) {
  const page = await fetch(url, { redirect: "manual" });
  if (page.status === 303) return new URL(page.headers.get("location"));
  const text = await page.text();
  const flow = /name="flow" value="([^"]*)"/.exec(text);
  if (flow === null) throw new Error(`no form: ${page.status}`);
  const answer = await fetch(new URL("/oauth/authorize", url), {
    method: "POST",
    redirect: "manual",
    headers: { cookie: page.headers.get("set-cookie").split(";")[0] },
    body: new URLSearchParams({
      flow: flow[1].replaceAll("&amp;", "&").replaceAll("&#43;", "+"),
      username: told.username,
      password: told.password,
    }),
  });
  return new URL(answer.headers.get("location"));
}
