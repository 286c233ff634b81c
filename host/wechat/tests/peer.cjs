// npm's @wecom/crypto on the platform's side: the same AES mode, written by others.
const fs = require('node:fs');
const { decrypt, encrypt, getSignature } = require('@wecom/crypto');

const { key, token, appid, timestamp, nonce, message, reply } = JSON.parse(fs.readFileSync(0, 'utf8'));
const encrypted = encrypt(key, message, appid);
const opened = decrypt(key, reply.encrypt);
console.log(JSON.stringify({
  encrypted,
  signature: getSignature(token, timestamp, nonce, encrypted),
  replyMessage: opened.message,
  replyId: opened.id,
  replySignature: getSignature(token, reply.timestamp, reply.nonce, reply.encrypt),
}));
