// The websocket, used as partners use it: by the npm client graphql-ws.
// usage: node socket.mjs ws://127.0.0.1:PORT/graphql [TOKEN]
// Exits 0 if every step went as it should; else says which did not.
import { buildClientSchema, getIntrospectionQuery, validateSchema } from 'graphql';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const [url, token] = process.argv.slice(2);
let passed = 0;

function check(what, condition, seen) {
  if (!condition) {
    console.log(`not ${what}: ${JSON.stringify(seen)}`);
    console.log(`${passed} passed, 1 failed`);
    process.exit(1);
  }
  passed += 1;
}

const client = createClient({
  url,
  webSocketImpl: WebSocket,
  retryAttempts: 0,
  lazy: false,
  connectionParams: () => (token ? { Authorization: `Bearer ${token}` } : {}),
});

async function results(query, variables) {
  const all = [];
  for await (const result of client.iterate({ query, variables })) all.push(result);
  return all;
}

const one = await results('{ __typename }');
check('a query answered once', one.length === 1 && one[0].data.__typename === 'Query', one);

const many = await Promise.all(Array.from({ length: 20 }, () => results('{ __typename }')));
check('twenty at once', many.every((each) => each[0].data.__typename === 'Query'), many);

let refused;
try {
  await results('{ nothing }');
} catch (errors) {
  refused = errors;
}
check(
  'a wrong document refused as an error',
  Array.isArray(refused) && refused[0].extensions.code === 'GRAPHQL_VALIDATION_FAILED',
  refused,
);

const everything = {
  schemaDescription: true,
  specifiedByUrl: true,
  directiveIsRepeatable: true,
  inputValueDeprecation: true,
  oneOf: true,
};
const introspected = await results(getIntrospectionQuery(everything));
const schema = buildClientSchema(introspected[0].data);
check('a schema by introspection', validateSchema(schema).length === 0, validateSchema(schema));
check('the subscriptions in it', schema.getSubscriptionType().getFields().orderStatus !== undefined, null);
check('@oneOf in it', schema.getType('RecipientInput').isOneOf === true, null);

const closed = new Promise((resolve) => client.on('closed', resolve));
await client.dispose();
const event = await closed;
check('closed cleanly, the close frame echoed', event.code === 1000 && event.wasClean !== false, event);

console.log(`${passed} passed, 0 failed`);
