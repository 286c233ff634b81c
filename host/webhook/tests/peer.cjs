// npm's standardwebhooks on both sides. Its verification reads the clock, so the clock stands where the test's does.
const fs = require('node:fs');
const { Webhook } = require('standardwebhooks');

const { secret, headers, body, id, timestamp } = JSON.parse(fs.readFileSync(0, 'utf8'));
Date.now = () => timestamp * 1000;
const webhook = new Webhook(secret);
const attempt = (headers, body) => { try { webhook.verify(body, headers); return true; } catch { return false; } };
console.log(JSON.stringify({
  accepted: attempt(headers, body),
  changed: attempt(headers, body + ' '),
  signature: webhook.sign(id, new Date(timestamp * 1000), body),
}));
