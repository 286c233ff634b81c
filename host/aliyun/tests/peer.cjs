// npm's @alicloud/openapi-core signs the same request independently.
const fs = require('node:fs');
const crypto = require('node:crypto');
const Utils = require('@alicloud/openapi-core').OpenApiUtil;

const { path, headers, body, keyId, secret } = JSON.parse(fs.readFileSync(0, 'utf8'));
const [pathname, search] = path.split('?');
const query = Object.fromEntries(new URLSearchParams(search));
const payload = crypto.createHash('sha256').update(body, 'utf8').digest('hex');
const request = { pathname, method: 'POST', query, headers };
const sign = secret => Utils.getAuthorization(request, 'ACS3-HMAC-SHA256', payload, keyId, secret);
console.log(JSON.stringify({ authorization: sign(secret), other: sign(secret + 'x'), form: Object.fromEntries(new URLSearchParams(body)) }));
