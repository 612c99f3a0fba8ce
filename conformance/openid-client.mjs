// The whole way with openid-client, as its documentation has it.
import "./webcrypto.mjs";
import * as client from "openid-client";
import { finish, privateKey, say, sayRefused, signIn, told } from "./told.mjs";

const issuer = new URL(told.issuer);
const how = { algorithm: "oauth2", execute: [client.allowInsecureRequests] };

async function discovered(id, jwk) {
  const auth = jwk
    ? client.PrivateKeyJwt({ key: await privateKey(jwk), kid: jwk.kid })
    : client.None();
  return client.discovery(issuer, id, undefined, auth, how);
}

const machine = await discovered(told.machine.client_id, told.machine.jwk);
say("discovery", machine.serverMetadata().issuer);
let DPoP = client.getDPoPHandle(machine, await client.randomDPoPKeyPair("ES256"));
const issued = await client.clientCredentialsGrant(machine, { scope: "me:read" }, { DPoP });
say("client_credentials", issued.token_type);
const at = new URL("/v1/me", issuer);
const me = (config, token, handle) =>
  client.fetchProtectedResource(config, token, at, "GET", undefined, undefined, {
    DPoP: handle,
  });
say("resource", (await (await me(machine, issued.access_token, DPoP)).json()).subject);
const seen = await client.tokenIntrospection(machine, issued.access_token);
say("introspection", [seen.active, seen.token_type]);
await client.tokenRevocation(machine, issued.access_token);
await sayRefused("revoked token", () => me(machine, issued.access_token, DPoP));

for (const [name, id, jwk] of [
  ["phone", told.app],
  ["server", told.server.client_id, told.server.jwk],
]) {
  const config = await discovered(id, jwk);
  DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair("ES256"));
  const verifier = client.randomPKCECodeVerifier();
  const state = client.randomState();
  const to = await client.buildAuthorizationUrlWithPAR(
    config,
    {
      redirect_uri: told.callback,
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
      state,
    },
    { DPoP },
  );
  const back = await signIn(to);
  const checks = { pkceCodeVerifier: verifier, expectedState: state };
  const first = await client.authorizationCodeGrant(config, back, checks, undefined, { DPoP });
  say(`${name}: code`, [
    first.token_type,
    (await me(config, first.access_token, DPoP)).status,
  ]);
  const second = await client.refreshTokenGrant(config, first.refresh_token, undefined, { DPoP });
  say(`${name}: refresh`, second.token_type);
  await sayRefused(`${name}: refresh without a proof`, () =>
    client.refreshTokenGrant(config, second.refresh_token),
  );
  await sayRefused(`${name}: code used twice`, () =>
    client.authorizationCodeGrant(config, back, checks, undefined, { DPoP }),
  );
}
finish();
