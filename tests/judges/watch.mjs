// A bulk order, placed and watched by the npm client graphql-ws as a partner does it.
// usage: node watch.mjs ws://127.0.0.1:PORT/graphql TOKEN SKU QUANTITY
// Prints each event as a line, `TYPE STATUS DELIVERED`, as soon as it is told: whoever runs this may load codes meanwhile.
// Exits 0 if the order is told from PENDING to DELIVERED and every code is there; else says what was not so.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const [url, token, productId, count] = process.argv.slice(2);
const quantity = Number(count);
let passed = 0;

function check(what, condition, seen) {
  if (!condition) {
    console.log(`not ${what}: ${JSON.stringify(seen)?.slice(0, 2000)}`);
    console.log(`${passed} passed, 1 failed`);
    process.exit(1);
  }
  passed += 1;
}

const client = createClient({
  url,
  webSocketImpl: WebSocket,
  retryAttempts: 0,
  connectionParams: () => ({ Authorization: `Bearer ${token}` }),
});

async function once(query, variables) {
  for await (const result of client.iterate({ query, variables })) return result;
  throw new Error('no result');
}

const placed = await once(
  `mutation Buy($input: CreateOrderInput!) {
    createOrder(input: $input) { order { id status quantity } replayed userErrors { code message field } }
  }`,
  { input: { productId, quantity, reference: 'watched', waitMs: 0 } },
);
const { order, userErrors } = placed.data?.createOrder ?? {};
check('an order placed over the socket', order?.quantity === quantity && userErrors?.length === 0, placed);

const told = [];
const watch = client.iterate({
  query: `subscription Watch($id: ID!) {
    orderStatus(orderId: $id) { cursor sequence type status deliveredQuantity order { deliveredQuantity } }
  }`,
  variables: { id: order.id },
});
for await (const event of watch) {
  check('an event without errors', event.errors === undefined, event);
  const { type, status, deliveredQuantity } = event.data.orderStatus;
  told.push(event.data.orderStatus);
  console.log(`${type} ${status} ${deliveredQuantity}`);
}
const last = told.at(-1);
check('the first event, of the order as it began', told[0]?.status === 'PENDING', told);
check('the last event, of its end', last.status === 'DELIVERED', told);
check('all units delivered', last.order.deliveredQuantity === quantity, told);
const rising = told.every((event, at) => at === 0 || BigInt(event.sequence) > BigInt(told[at - 1].sequence));
check('events in order', rising, told);

const again = [];
const rest = client.iterate({
  query: `subscription Watch($id: ID!, $after: String) {
    orderStatus(orderId: $id, after: $after) { sequence status }
  }`,
  variables: { id: order.id, after: told[0].cursor },
});
for await (const event of rest) again.push(event.data.orderStatus);
const resumed = again.map((event) => event.sequence).join();
const missed = told.slice(1).map((event) => event.sequence).join();
check('the rest, from a cursor: no gap and no duplicate', resumed === missed, { again, told });

const revealed = await once('query ($id: ID!) { order(id: $id) { vouchers { code } } }', { id: order.id });
const codes = new Set(revealed.data?.order?.vouchers?.map((voucher) => voucher.code));
check('every code, none twice', codes.size === quantity, revealed);

await client.dispose();
console.log('watched to its end');
