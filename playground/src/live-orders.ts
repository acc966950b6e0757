// The orders of the signed-in partner as their events arrive.
// Always true: once begun, watching goes on until the partner signs out, whichever panel is shown; the last cursor seen is
//   where a new socket begins, so losing one loses nothing.
// Not here: how they are shown (live-orders-panel.tsx).

import { socket } from "./endpoint";
import { currentState, onChange as onSessionChange } from "./session";

export interface LiveOrder {
  orderId: string;
  reference: string;
  type: string;
  status: string;
  occurredAt: string;
  quantity: number;
  deliveredQuantity: number;
  refundedQuantity: number;
  order: { product: { name: string }; total: { amount: string; currency: string } };
}

export interface LiveOrders {
  /** Latest changed first, at most 50. */
  orders: LiveOrder[];
  problem: string | null;
}

const DOCUMENT = `subscription LiveOrders($after: String) {
  orderUpdates(after: $after) {
    cursor type occurredAt orderId reference status quantity deliveredQuantity refundedQuantity
    order { product { name } total { amount currency } }
  }
}`;
const KEPT = 50;

/** The socket sends this object again whenever it reconnects, so moving its cursor is what makes that a resumption. */
const variables: { after?: string } = {};
const listeners = new Set<() => void>();
let state: LiveOrders = { orders: [], problem: null };
let stop: (() => void) | null = null;
let owner = currentState().session?.username;

export function currentOrders(): LiveOrders {
  return state;
}

export function onChange(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Begins to watch, unless that has begun already; it ends when the partner signs out. */
export function watch(): void {
  if (stop) return;
  change({ ...state, problem: null });
  stop = socket.subscribe<{ orderUpdates: LiveOrder & { cursor: string } }>(
    { query: DOCUMENT, variables },
    {
      next: ({ data, errors }) => {
        if (errors) change({ ...state, problem: errors[0]?.message ?? null });
        if (!data) return;
        variables.after = data.orderUpdates.cursor;
        const others = state.orders.filter(({ orderId }) => orderId !== data.orderUpdates.orderId);
        change({ orders: [data.orderUpdates, ...others].slice(0, KEPT), problem: null });
      },
      error: (failure) => {
        stop = null;
        change({ ...state, problem: describe(failure) });
      },
      complete: () => (stop = null),
    },
  );
}

function describe(failure: unknown): string {
  if (Array.isArray(failure)) return failure[0]?.message ?? "The subscription was refused.";
  if (failure instanceof CloseEvent) return `The socket was closed: ${failure.code} ${failure.reason}`;
  return "The server cannot be reached.";
}

function change(next: LiveOrders) {
  state = next;
  for (const listener of listeners) listener();
}

// Another partner's orders are not the last one's to see, nor is the cursor good for them.
onSessionChange(() => {
  const next = currentState().session?.username;
  if (next === owner) return;
  owner = next;
  stop?.();
  delete variables.after;
  change({ orders: [], problem: null });
});
