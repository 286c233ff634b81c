// npm's alipay-sdk on both sides of ours: it checks our request, and signs what the platform would send.
const fs = require('node:fs');
const { createSign, createVerify } = require('node:crypto');
const { AlipaySdk } = require('alipay-sdk');

const { request, appPrivate, appPublic, alipayPrivate, alipayPublic, raw, notice } = JSON.parse(fs.readFileSync(0, 'utf8'));
const sdk = new AlipaySdk({ appId: '2021000000000001', privateKey: appPrivate, alipayPublicKey: alipayPublic, keyType: 'PKCS8', signType: 'RSA2' });
// The platform's place: the same library with the keys exchanged.
const platform = new AlipaySdk({ appId: '2021000000000001', privateKey: alipayPrivate, alipayPublicKey: appPublic, keyType: 'PKCS8', signType: 'RSA2' });

const params = Object.fromEntries([...new URLSearchParams(request.query), ...new URLSearchParams(request.body)]);
const { sign, ...rest } = params;
const signed = Object.keys(rest).sort().map(key => `${key}=${rest[key]}`).join('&');

// What the library itself would have sent for the same content at its own time.
const theirs = new URL('https://host' + sdk.pageExecute(params.method, 'GET', { bizContent: JSON.parse(params.biz_content) }).replace(/^https?:\/\/[^/]+/, ''));

const answerSign = createSign('RSA-SHA256').update(raw, 'utf8').sign(alipayPrivate, 'base64');
const answer = `{"alipay_open_public_message_single_send_response":${raw},"sign":"${answerSign}"}`;
let answerAccepted = true;
try { sdk.checkResponseSign(answer, 'alipay_open_public_message_single_send_response', answerSign, 't'); } catch { answerAccepted = false; }

const canonical = Object.keys(notice).sort().map(key => `${key}=${notice[key]}`).join('&');
const signedNotice = { ...notice, sign_type: 'RSA2', sign: createSign('RSA-SHA256').update(canonical, 'utf8').sign(alipayPrivate, 'base64') };

console.log(JSON.stringify({
  requestAccepted: platform.rsaCheck(signed, sign, 'RSA2'),
  tamperedAccepted: platform.rsaCheck(signed + ' ', sign, 'RSA2'),
  theirQuery: theirs.search.slice(1),
  answer,
  answerAccepted,
  noticeAccepted: sdk.checkNotifySignV2(signedNotice),
  notice: new URLSearchParams(signedNotice).toString(),
}));
