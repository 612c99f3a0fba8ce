// The whole way with oauth4webapi, as its documentation has it; then the ways of doing it wrong.
import "./webcrypto.mjs";
import { SignJWT, exportJWK, generateKeyPair } from "jose";
import * as oauth from "oauth4webapi";
import { finish, privateKey, say, sayRefused, signIn, told } from "./told.mjs";

const issuer = new URL(told.issuer);
const http = { [oauth.allowInsecureRequests]: true };
const as = await oauth
  .discoveryRequest(issuer, { algorithm: "oauth2", ...http })
  .then((answer) => oauth.processDiscoveryResponse(issuer, answer));
say("discovery", as.issuer);

/** Do it, and once more with the nonce if there was none. */
async function withNonce(attempt) {
  try {
    return await attempt();
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    return attempt();
  }
}

const key = await privateKey(told.machine.jwk);
const machine = { client_id: told.machine.client_id };
const proves = oauth.PrivateKeyJwt({ key, kid: told.machine.jwk.kid });
const DPoP = oauth.DPoP(machine, await oauth.generateKeyPair("ES256"));

function credentials(scope, how = DPoP, auth = proves) {
  return withNonce(async () => {
    const asked = new URLSearchParams(scope ? { scope } : {});
    const answer = await oauth.clientCredentialsGrantRequest(as, machine, auth, asked, {
      DPoP: how,
      ...http,
    });
    return oauth.processClientCredentialsResponse(as, machine, answer);
  });
}

const issued = await credentials("me:read");
say("client_credentials", issued.token_type);

function me(token, how) {
  const url = new URL("/v1/me", issuer);
  return withNonce(() =>
    oauth.protectedResourceRequest(token, "GET", url, undefined, undefined, {
      DPoP: how,
      ...http,
    }),
  );
}
say("resource", (await (await me(issued.access_token, DPoP)).json()).subject);

const seen = await oauth
  .introspectionRequest(as, machine, proves, issued.access_token, http)
  .then((answer) => oauth.processIntrospectionResponse(as, machine, answer));
say("introspection", [seen.active, seen.token_type, typeof seen.cnf.jkt]);

// A resource server of another agency checks the token, and the proof, by itself.
let carried;
const at = new URL("/v1/me", issuer);
await oauth.protectedResourceRequest(issued.access_token, "GET", at, undefined, undefined, {
  DPoP,
  ...http,
  [oauth.customFetch]: (url, options) => {
    carried = options.headers;
    return fetch(url, options);
  },
});
const checked = await oauth.validateJwtAccessToken(
  as,
  new Request(new URL("/v1/me", issuer), { headers: carried }),
  told.audience,
  http,
);
say("validated by a stranger", checked.client_id === machine.client_id);

await oauth
  .revocationRequest(as, machine, proves, issued.access_token, http)
  .then(oauth.processRevocationResponse);
await sayRefused("revoked token", () => me(issued.access_token, DPoP));

// People: an app on a phone, and one on a server. Code + PKCE + PAR + DPoP, then refresh.
async function people(name, client, auth) {
  const bound = oauth.DPoP(client, await oauth.generateKeyPair("ES256"));
  const verifier = oauth.generateRandomCodeVerifier();
  const asked = {
    client_id: client.client_id,
    redirect_uri: told.callback,
    response_type: "code",
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    state: oauth.generateRandomState(),
  };
  const pushed = await withNonce(async () => {
    const body = new URLSearchParams(asked);
    const answer = await oauth.pushedAuthorizationRequest(as, client, auth, body, {
      DPoP: bound,
      ...http,
    });
    return oauth.processPushedAuthorizationResponse(as, client, answer);
  });
  const to = new URL(as.authorization_endpoint);
  to.searchParams.set("client_id", client.client_id);
  to.searchParams.set("request_uri", pushed.request_uri);
  const back = await signIn(to);
  const code = oauth.validateAuthResponse(as, client, back, asked.state);
  const exchange = (with_ = verifier, redirect = told.callback, how = bound) =>
    withNonce(async () => {
      const answer = await oauth.authorizationCodeGrantRequest(
        ...[as, client, auth, code, redirect, with_],
        { DPoP: how, ...http },
      );
      return oauth.processAuthorizationCodeResponse(as, client, answer);
    });
  const refresh = (token, how = bound) =>
    withNonce(async () => {
      const answer = await oauth.refreshTokenGrantRequest(as, client, auth, token, {
        DPoP: how,
        ...http,
      });
      return oauth.processRefreshTokenResponse(as, client, answer);
    });
  return { name, client, auth, bound, exchange, refresh, to, asked };
}

const app = { client_id: told.app };
const server = { client_id: told.server.client_id };
const serverKey = await privateKey(told.server.jwk);
const serverProves = oauth.PrivateKeyJwt({ key: serverKey, kid: told.server.jwk.kid });
for (const [name, client, auth] of [
  ["phone", app, oauth.None()],
  ["server", server, serverProves],
]) {
  const one = await people(name, client, auth);
  const first = await one.exchange();
  say(`${name}: code`, [first.token_type, (await me(first.access_token, one.bound)).status]);
  const second = await one.refresh(first.refresh_token);
  const again = await one.refresh(first.refresh_token); // the answer was lost
  say(`${name}: refresh`, again.refresh_token === second.refresh_token);
  say(`${name}: rotated`, second.refresh_token !== first.refresh_token);
}

// Ways of doing it wrong: what does the answer say?
const thief = oauth.DPoP(machine, await oauth.generateKeyPair("ES256"));
const good = await credentials("me:read");
await sayRefused("stolen token, another key", () => me(good.access_token, thief));
await sayRefused("bound token sent as bearer", () => me(good.access_token, undefined));
const aud = oauth.PrivateKeyJwt(
  { key, kid: told.machine.jwk.kid },
  {
    [oauth.modifyAssertion]: (_, claims) => {
      claims.aud = as.token_endpoint;
    },
  },
);
await sayRefused("assertion for the token endpoint", () => credentials("", DPoP, aud));
const early = oauth.PrivateKeyJwt(
  { key, kid: told.machine.jwk.kid },
  {
    [oauth.modifyAssertion]: (_, claims) => {
      claims.iat += 600;
      claims.nbf += 600;
      claims.exp += 600;
    },
  },
);
await sayRefused("assertion by a clock ten minutes ahead", () => credentials("", DPoP, early));
const stranger = oauth.PrivateKeyJwt({
  key: (await oauth.generateKeyPair("ES256")).privateKey,
  kid: told.machine.jwk.kid,
});
await sayRefused("assertion by another key", () => credentials("", DPoP, stranger));
await sayRefused("a scope the role lacks", () => credentials("police_reports:handle"));

let one = await people("wrong", app, oauth.None());
await sayRefused("another verifier", () => one.exchange(oauth.generateRandomCodeVerifier()));
one = await people("wrong", app, oauth.None());
await sayRefused("another redirect_uri", () => one.exchange(undefined, `${told.callback}x`));
one = await people("wrong", app, oauth.None());
await sayRefused("a stolen code, another key", () => one.exchange(undefined, undefined, thief));
one = await people("wrong", app, oauth.None());
const tokens = await one.exchange();
await sayRefused("a code used twice", () => one.exchange());
one = await people("wrong", app, oauth.None());
const family = await one.exchange();
await sayRefused("a stolen refresh token", () => one.refresh(family.refresh_token, thief));
const newer = await one.refresh(family.refresh_token);
await one.refresh(newer.refresh_token);
await sayRefused("a refresh token long spent", () => one.refresh(family.refresh_token));
await sayRefused("a request pushed by nobody", async () => {
  const to = new URL(as.authorization_endpoint);
  to.search = new URLSearchParams({ ...one.asked, client_id: server.client_id }).toString();
  oauth.validateAuthResponse(as, server, await signIn(to), one.asked.state);
});

// Proofs made by hand, as who has no library makes them.
const mine = await generateKeyPair("ES256", { extractable: true });
const jwk = await exportJWK(mine.publicKey);
async function asked(claims, header = {}, signedBy = mine.privateKey) {
  const body = { htm: "POST", htu: as.token_endpoint, jti: crypto.randomUUID(), ...claims };
  const proof = await new SignJWT(body)
    .setProtectedHeader({ typ: "dpop+jwt", alg: "ES256", jwk, ...header })
    .setIssuedAt()
    .sign(signedBy);
  const answer = await fetch(as.token_endpoint, {
    method: "POST",
    headers: { dpop: proof },
    body: new URLSearchParams({ grant_type: "client_credentials", client_id: told.app }),
  });
  const { error, error_description: description } = await answer.json();
  return [answer.headers.get("dpop-nonce"), `${error}: ${description}`];
}
const [nonce, none] = await asked({});
say("proof without nonce", none);
say("proof for another address", (await asked({ nonce, htu: `${told.issuer}/x` }))[1]);
say("proof for another method", (await asked({ nonce, htm: "GET" }))[1]);
const whole = await exportJWK(mine.privateKey);
say("proof with the private key", (await asked({ nonce }, { jwk: whole }))[1]);
const other = (await generateKeyPair("ES256")).privateKey;
say("proof signed by another key", (await asked({ nonce }, {}, other))[1]);
const jti = crypto.randomUUID();
await asked({ nonce, jti });
finish();
