// The live-order watcher, as a panel of GraphiQL: each order with its progress, moving as events arrive.

import type { GraphiQLPlugin } from "@graphiql/react";
import { useEffect, useSyncExternalStore } from "react";
import { PulseIcon } from "./icons";
import { currentOrders, onChange, watch, type LiveOrder } from "./live-orders";
import { currentState, onChange as onSessionChange } from "./session";

function LiveOrdersPanel() {
  const username = useSyncExternalStore(onSessionChange, currentState).session?.username;
  const { orders, problem } = useSyncExternalStore(onChange, currentOrders);
  useEffect(() => {
    if (username) watch();
  }, [username]);

  return (
    <section className="panel" aria-label="Live orders">
      <h2>Live orders</h2>
      {problem && <p role="alert">{problem}</p>}
      {!username && <p>Sign in to watch your orders arrive.</p>}
      {username && orders.length === 0 && <p>Watching. Orders that you place, here or elsewhere, appear as they change.</p>}
      <ol aria-live="polite">
        {orders.map((order) => (
          <LiveOrderItem key={order.orderId} {...order} />
        ))}
      </ol>
    </section>
  );
}

function LiveOrderItem({ reference, status, type, occurredAt, quantity, deliveredQuantity, refundedQuantity, order }: LiveOrder) {
  const { product, total } = order;
  const refunded = refundedQuantity > 0 ? `, ${refundedQuantity} refunded` : "";
  return (
    <li data-reference={reference}>
      <strong>{reference}</strong> <span className={`badge ${status.toLowerCase()}`}>{status.replaceAll("_", " ")}</span>
      <p>
        {quantity} × {product.name} · {total.amount} {total.currency}
      </p>
      <progress max={quantity} value={deliveredQuantity} aria-label={`Delivered units of ${reference}`} />
      <small>
        {deliveredQuantity} of {quantity} delivered{refunded} · {type} at{" "}
        <time dateTime={occurredAt}>{new Date(occurredAt).toLocaleTimeString()}</time>
      </small>
    </li>
  );
}

export const liveOrdersPlugin: GraphiQLPlugin = { title: "live orders", icon: PulseIcon, content: LiveOrdersPanel };
