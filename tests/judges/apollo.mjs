// A partner's program built on Apollo Client, as its users write one: typed variables, named operations, persisted queries.
// usage: node apollo.mjs http://127.0.0.1:PORT/graphql USERNAME PASSWORD SKU
// Exits 0 if every step went as it should; else says which did not.
import { createHash } from 'node:crypto';
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { SetContextLink } from '@apollo/client/link/context';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';

const [uri, username, password, productId] = process.argv.slice(2);
let passed = 0;

function check(what, condition, seen) {
  if (!condition) {
    console.log(`not ${what}: ${JSON.stringify(seen)?.slice(0, 2000)}`);
    console.log(`${passed} passed, 1 failed`);
    process.exit(1);
  }
  passed += 1;
}

let token;
const bodies = [];
const http = new HttpLink({
  uri,
  fetch: (address, request) => {
    bodies.push(JSON.parse(request.body));
    return fetch(address, request);
  },
});
const authorize = new SetContextLink(({ headers }) => ({
  headers: token ? { ...headers, authorization: `Bearer ${token}` } : headers,
}));
const sha256 = (text) => createHash('sha256').update(text).digest('hex');
const connect = (...links) =>
  new ApolloClient({ cache: new InMemoryCache(), link: ApolloLink.from([...links, authorize, http]) });
const client = connect();

const login = gql`
  mutation SignIn($input: LoginInput!) {
    login(input: $input) { token userErrors { code } }
  }
`;
const signed = await client.mutate({ mutation: login, variables: { input: { username, password } } });
token = signed.data.login.token;
check('signed in', typeof token === 'string' && signed.data.login.userErrors.length === 0, signed);

// Two operations in one document: the name decides. Apollo adds __typename to every object.
const price = gql`
  query Price($id: ID!, $currency: CurrencyCode = "USD") {
    product(id: $id) { id name price(currency: $currency) { unitPrice { amount currency } } }
  }
`;
const priced = await client.query({ query: price, variables: { id: productId, currency: 'JPY' } });
check('a named query with variables', priced.data.product.price.unitPrice.currency === 'JPY', priced);
check('the name sent along', bodies.at(-1).operationName === 'Price', bodies.at(-1));
check('types told for the cache', priced.data.product.__typename === 'Product', priced);
const cached = client.cache.extract()[`Product:${productId}`];
check('the product normalised by its id', cached?.name === priced.data.product.name, cached);

const buy = gql`
  mutation Buy($input: CreateOrderInput!) {
    createOrder(input: $input) {
      replayed
      order { id status total { amount currency } vouchers { code } }
      userErrors { __typename code field ... on IdempotencyMismatchError { differingFields } }
    }
  }
`;
const input = { productId, quantity: 2, reference: 'by-apollo' };
const bought = (await client.mutate({ mutation: buy, variables: { input } })).data.createOrder;
check('an order delivered', bought.order?.status === 'DELIVERED' && bought.order.vouchers.length === 2, bought);
const again = (await client.mutate({ mutation: buy, variables: { input } })).data.createOrder;
check('the same order under its reference', again.replayed && again.order.id === bought.order.id, again);
const other = await client.mutate({ mutation: buy, variables: { input: { ...input, quantity: 3 } } });
const [refusal] = other.data.createOrder.userErrors;
check('a refusal as data', refusal.__typename === 'IdempotencyMismatchError' && refusal.differingFields[0] === 'quantity', other);

let failure;
try {
  await client.query({ query: price, variables: { id: productId, currency: 'usd' } });
} catch (error) {
  failure = error;
}
check('an error with its code', failure?.errors?.[0]?.extensions.code === 'BAD_USER_INPUT', failure);

const persisted = connect(new PersistedQueryLink({ sha256 }));
for (const [round, sent] of [['first', 2], ['second', 1]]) {
  bodies.length = 0;
  const fetchPolicy = 'network-only';
  const answer = await persisted.query({ query: price, variables: { id: productId, currency: 'EUR' }, fetchPolicy });
  check(`a persisted query, the ${round} time`, answer.data.product.price.unitPrice.currency === 'EUR', answer);
  const hashes = bodies.map((body) => body.extensions.persistedQuery.sha256Hash.length);
  check(`${sent} requests by hash`, bodies.length === sent && hashes.every((length) => length === 64), bodies);
}
check('the last one without its text', bodies[0].query === undefined, bodies);

console.log(`${passed} passed, 0 failed`);
