// Reads a request a line, {key, headers, body}, the body in base64; answers each with {"error": null} or why it is refused.
// whsec_ is checked by the npm package standardwebhooks; whpk_, which that does not know, by Node's own Ed25519.
import { createPublicKey, verify } from "node:crypto";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { Webhook } = createRequire(`${process.argv[2]}/`)("standardwebhooks");

function verifyEd25519(key, headers, body) {
  const jwk = { kty: "OKP", crv: "Ed25519", x: Buffer.from(key.slice("whpk_".length), "base64").toString("base64url") };
  const publicKey = createPublicKey({ key: jwk, format: "jwk" });
  const signed = Buffer.concat([Buffer.from(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.`), body]);
  const signatures = headers["webhook-signature"].split(" ").filter((one) => one.startsWith("v1a,"));
  if (!signatures.some((one) => verify(null, signed, publicKey, Buffer.from(one.slice("v1a,".length), "base64")))) {
    throw new Error("No matching signature found");
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { key, headers, body } = JSON.parse(line);
  let error = null;
  try {
    const bytes = Buffer.from(body, "base64");
    if (key.startsWith("whpk_")) {
      verifyEd25519(key, headers, bytes);
    } else {
      new Webhook(key).verify(bytes, headers, { jsonParse: false });
    }
  } catch (refused) {
    error = refused.message;
  }
  console.log(JSON.stringify({ error }));
}
