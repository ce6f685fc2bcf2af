// Driver of Node's @alicloud/pop-core; the commands are those of ../tea.py. DISYNC_METHOD chooses GET or POST.
'use strict';

const readline = require('readline');
const { RPCClient } = require('@alicloud/pop-core');

const env = process.env;

function connect(key) {
  return new RPCClient({
    accessKeyId: key[0],
    accessKeySecret: key[1],
    endpoint: `http://${env.DISYNC_ENDPOINT}`,
    apiVersion: '2020-05-18',
  });
}

async function call(command) {
  const client = connect(command.key || [env.DISYNC_ACCESS_KEY_ID, env.DISYNC_ACCESS_KEY_SECRET]);
  return client.request(command.action, command.params, { method: env.DISYNC_METHOD, timeout: 10000 });
}

function failure(error) {
  const data = error.data || {};
  return {
    ok: false,
    class: error.name,
    bases: [error.name, 'Error'],
    code: error.code,
    status: null, // this client ignores it
    message: error.message,
    request_id: data.RequestId,
  };
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let answer;
    try {
      answer = { ok: true, body: await call(JSON.parse(line)) };
    } catch (error) {
      answer = failure(error);
    }
    process.stdout.write(JSON.stringify(answer) + '\n');
  }
})();
