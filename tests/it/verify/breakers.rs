//! How each check of `octopus verify` is broken, in each of its ways.
//! Always true: what is broken is nothing but what the check says, as far as one row can be wrong alone.
//! Not here: the guards of the database (`guards.rs`).

use super::breaking::{Breaker, one_more_code};
use super::scenes::Scene;

/// Makes a test of each line, and `BROKEN`, the breaches that they break.
macro_rules! breakers {
    ($($name:ident breaks $check:literal $breach:literal in $scene:ident, $tables:expr, $sql:expr,
        says $reason:literal $(, and $also:literal)*;)+) => {
        /// The check and the breach of every test below.
        pub const BROKEN: &[(&str, &str)] = &[$(($check, $breach)),+];

        both_databases! {$(
            async fn $name(app: SmallCatalog) {
                let breaker = Breaker {
                    scene: Scene::$scene,
                    check: $check,
                    reason: $reason,
                    tables: &$tables,
                    sql: String::from($sql),
                    also: &[$($also),*],
                };
                breaker.assert_is_found(&app).await;
            }
        )+}
    };
}

/// A credit gets a line in which its wallet holds five cents, and one that pays them.
const HELD_FOR_NOTHING: &str = "INSERT INTO postings
        (transaction_id, line, account, wallet_id, partner_id, currency, scale, amount, created_at)
    SELECT p.transaction_id, 98, 'WALLET_HELD', p.wallet_id, p.partner_id, p.currency, p.scale, 5, 0
    FROM postings p JOIN ledger_transactions t ON t.id = p.transaction_id
    WHERE t.reference = 'funds-USD' AND p.account = 'WALLET_AVAILABLE';
    INSERT INTO postings (transaction_id, line, account, currency, scale, amount, created_at)
    SELECT id, 99, 'FUNDING', 'USD', 2, -5, 0 FROM ledger_transactions WHERE reference = 'funds-USD'";

const OVERDRAWN: &str =
    "UPDATE postings SET amount = -amount, balance_after = -balance_after WHERE transaction_id IN
        (SELECT id FROM ledger_transactions WHERE reference = 'funds-EUR');
    UPDATE wallets SET available = -available WHERE currency = 'EUR'";

/// The other partner pays for the order: its wallet, its entry and its feed say so without a contradiction.
const PAID_BY_ANOTHER: &str = "
    UPDATE postings SET partner_id = (SELECT w.partner_id FROM wallets w WHERE w.currency = 'USD'
            AND w.id <> (SELECT o.wallet_id FROM orders o)),
        wallet_id = (SELECT w.id FROM wallets w WHERE w.currency = 'USD' AND w.id <> (SELECT o.wallet_id FROM orders o))
        WHERE wallet_sequence = 2;
    UPDATE wallets SET
        available = CASE WHEN id = (SELECT o.wallet_id FROM orders o) THEN 100000000
            ELSE (SELECT p.balance_after FROM postings p WHERE p.wallet_sequence = 2) END,
        sequence = CASE WHEN id = (SELECT o.wallet_id FROM orders o) THEN 1 ELSE 2 END
        WHERE currency = 'USD';
    UPDATE events SET wallet_id = (SELECT p.wallet_id FROM postings p WHERE p.wallet_sequence = 2),
        sequence = (SELECT h.sequence + 1 FROM event_heads h
            WHERE h.partner_id <> (SELECT o.partner_id FROM orders o)),
        partner_id = (SELECT p.partner_id FROM postings p WHERE p.wallet_sequence = 2)
        WHERE kind = 'wallet.debited';
    UPDATE event_heads SET sequence = sequence
        + CASE WHEN partner_id = (SELECT o.partner_id FROM orders o) THEN -1 ELSE 1 END";

const CAPTURE_OF_NO_ORDER: &str = "
    INSERT INTO ledger_transactions (id, kind, partner_id, order_id, created_at)
    SELECT 'ltx_x', 'CAPTURE', id, 'ord_none', 0 FROM partners LIMIT 1;
    INSERT INTO postings (transaction_id, line, account, currency, scale, amount, created_at)
    VALUES ('ltx_x', 1, 'REVENUE_SALES', 'USD', 2, 1, 0), ('ltx_x', 2, 'FUNDING', 'USD', 2, -1, 0)";

/// Both at once: the outcomes change places, and with them the transactions, so that only the units contradict.
const OUTCOMES_SWAPPED: &str =
    "UPDATE unit_settlements SET outcome = CASE outcome WHEN 'CAPTURED' THEN 'RELEASED' ELSE 'CAPTURED' END,
        transaction_id = (SELECT t.id FROM ledger_transactions t WHERE t.order_id = unit_settlements.order_id
            AND t.kind = CASE unit_settlements.outcome WHEN 'CAPTURED' THEN 'RELEASE' ELSE 'CAPTURE' END)";

/// By the transaction of the replacement, for want of another.
const REFUNDED_BEFORE: &str =
    "INSERT INTO goodwill_refunds (order_id, unit_index, partner_id, transaction_id, at)
    SELECT t.order_id, 1, t.partner_id, t.id, 0 FROM ledger_transactions t WHERE t.kind = 'REPLACEMENT'";

const SECOND_HOLD: &str = "INSERT INTO ledger_transactions (id, kind, partner_id, order_id, created_at)
    SELECT 'ltx_x', 'HOLD', partner_id, id, 0 FROM orders;
    INSERT INTO postings (transaction_id, line, account, wallet_id, partner_id, currency, scale, amount, created_at)
    SELECT 'ltx_x', 1, 'WALLET_HELD', wallet_id, partner_id, currency, 2, 7, 0 FROM orders
    UNION ALL SELECT 'ltx_x', 2, 'WALLET_HELD', wallet_id, partner_id, currency, 2, -7, 0 FROM orders";

const LOADED_BY_NOBODY: &str = "INSERT INTO stock_writers (writer, n, moved_at) VALUES ('stw_more', 1, 0);
    INSERT INTO stock_moves (writer, n, product_id, face_minor, kind, delta, at)
    VALUES ('stw_more', 1, 'steam_wallet_50_usd', 5000, 'LOADED', 3, 0)";

/// Of the numbers 1, 2, 2, 4 there are as many as the head says.
const MOVES_WITH_A_HIDDEN_GAP: &str =
    "INSERT INTO stock_writers (writer, n, moved_at) VALUES ('stw_more', 4, 0);
    INSERT INTO stock_moves (writer, n, product_id, face_minor, kind, delta, at)
    VALUES ('stw_more', 1, 'steam_wallet_50_usd', 5000, 'ALLOCATED', -1, 0),
        ('stw_more', 2, 'steam_wallet_50_usd', 5000, 'RETURNED', 1, 0),
        ('stw_more', 2, 'steam_wallet_50_usd', 5000, 'ALLOCATED', -1, 0),
        ('stw_more', 4, 'steam_wallet_50_usd', 5000, 'RETURNED', 1, 0)";

const LAST_ENTRY_UNTOLD: &str =
    "UPDATE events SET payload = replace(payload, '\"last_entry\":2', '\"last_entry\":1')
    WHERE kind = 'wallet.debited'";

/// What is in dispute is not owed: the costs of all goods stay what they are.
const DEBT_FOR_NOTHING: &str = "
    INSERT INTO ledger_transactions (id, kind, partner_id, order_id, reference, created_at)
    SELECT 'ltx_x', 'PURCHASE', partner_id, id, 'pur_none', 0 FROM orders;
    INSERT INTO postings (transaction_id, line, account, currency, scale, amount, created_at)
    VALUES ('ltx_x', 1, 'DISPUTED', 'USD', 6, 5, 0), ('ltx_x', 2, 'PAYABLE', 'USD', 6, -5, 0)";

const RECEIPT_FOR_NOTHING: &str =
    "INSERT INTO receipts (order_id, unit_index, partner_id, purchase_id, number, cost_micros, cost_currency, at)
    SELECT order_id, 2, partner_id, purchase_id, number, 0, cost_currency, at FROM receipts";

/// What a vendor refused, it delivered all the same.
const BOUGHT_TWICE: &str =
    "UPDATE attempts SET outcome = 'DELIVERED'; UPDATE purchases SET delivered_quantity = 1";

const CORRECTION_OF_NO_LINE: &str =
    "INSERT INTO ledger_transactions (id, kind, reference, created_at) VALUES ('ltx_x', 'ADJUSTMENT', 'x', 0);
    INSERT INTO postings (transaction_id, line, account, currency, scale, amount, created_at)
    VALUES ('ltx_x', 1, 'PAYABLE', 'USD', 6, -7, 0), ('ltx_x', 2, 'DISPUTED', 'USD', 6, 7, 0)";

breakers! {
    a_transaction_that_does_not_balance_is_found breaks "transactions_balance" "unbalanced" in Seeded, [],
        "INSERT INTO postings (transaction_id, line, account, currency, scale, amount, created_at)
        SELECT id, 99, 'FUNDING', 'USD', 2, 1, 0 FROM ledger_transactions WHERE reference = 'funds-USD'",
        says "its lines in USD do not sum to nought";
    a_transaction_without_lines_is_found breaks "transactions_balance" "without_lines" in Seeded, [],
        "INSERT INTO ledger_transactions (id, kind, reference, created_at) VALUES ('ltx_x', 'ADJUSTMENT', 'x', 0)",
        says "it has no lines";
    a_wallet_that_is_not_its_entries_is_found breaks "wallets_are_their_entries" "another_sum" in Seeded, [],
        "UPDATE wallets SET available = available - 1 WHERE currency = 'JPY'",
        says "available is 149999999, its entries sum to 150000000";
    an_overdrawn_wallet_is_found breaks "nothing_is_overdrawn" "now" in Seeded, ["postings", "wallets"], OVERDRAWN,
        says "available is below nought";
    a_wallet_that_was_overdrawn_is_found breaks "nothing_is_overdrawn" "after_an_entry" in Seeded,
        ["postings", "wallets"], OVERDRAWN, says "entry 1 left it below nought";
    held_money_of_no_unit_is_found breaks "held_money_is_of_open_units" "another_sum" in Seeded, [], HELD_FOR_NOTHING,
        says "held is 5, its open units cost 0";
    a_refund_of_what_was_not_delivered_is_found breaks "goodwill_is_given_once" "not_delivered" in Refunded, [],
        "UPDATE goodwill_refunds SET unit_index = 22", says "unit 22 is refunded as if delivered";
    a_refund_by_another_transaction_is_found breaks "goodwill_is_given_once" "another_transaction" in Refunded, [],
        "UPDATE goodwill_refunds SET transaction_id = (SELECT t.id FROM ledger_transactions t WHERE t.kind = 'SALE')",
        says "unit 1 is refunded by a transaction that is none of its own";
    a_refund_of_another_amount_is_found breaks "goodwill_is_given_once" "another_amount" in Refunded, [],
        "UPDATE postings SET account = 'FUNDING' WHERE account = 'REVENUE_SALES' AND transaction_id IN
            (SELECT t.id FROM ledger_transactions t WHERE t.kind = 'REFUND')",
        says "it is not the price of one delivered unit, taken from revenue as it was earned";
    a_gap_in_the_entries_is_found breaks "entries_number_without_gaps" "gap" in Seeded, [],
        "UPDATE wallets SET sequence = sequence + 1 WHERE currency = 'KWD'",
        says "its sequence is 2, its 1 entries have 1 numbers from 1 to 1";
    a_running_balance_that_does_not_follow_is_found breaks "running_balances_follow" "another_balance" in Sold,
        ["postings"], "UPDATE postings SET balance_before = balance_before + 1, balance_after = balance_after + 1
            WHERE wallet_sequence = 2", says "entry 2 does not follow from the one before";
    an_entry_of_another_scale_than_its_wallet_is_found breaks "entries_are_their_wallets" "other_terms" in Seeded,
        ["postings"], "UPDATE postings SET scale = 3 WHERE transaction_id IN
            (SELECT id FROM ledger_transactions WHERE reference = 'funds-USD')",
        says "is not in its wallet's terms";
    a_cost_of_another_scale_is_found breaks "entries_are_their_wallets" "cost_of_another_scale" in Costly, [],
        "UPDATE postings SET scale = 5 WHERE account IN ('INVENTORY', 'PAYABLE')", says "is a cost of another scale";

    an_order_that_costs_other_than_its_units_is_found breaks "order_money_adds_up" "units" in Sold, ["orders"],
        "UPDATE orders SET total_minor = total_minor + 1", says "it has 2 of 2 units, which cost 9880 of 9881";
    an_order_that_counts_other_than_its_units_is_found breaks "order_money_adds_up" "counts" in Settled, ["orders"],
        "UPDATE orders SET delivered_quantity = 20, refunded_quantity = 2", says "its counts are not those of its units";
    an_order_that_its_wallet_did_not_pay_is_found breaks "order_money_adds_up" "ledger" in Sold, [], PAID_BY_ANOTHER,
        says "its units cost one thing, and the ledger says another";
    an_order_that_another_wallet_paid_is_found breaks "order_money_adds_up" "foreign_money" in Sold, [],
        PAID_BY_ANOTHER, says "it moves money that is not of the wallet and the partner of ord_";
    money_of_no_order_is_found breaks "order_money_adds_up" "money_of_no_order" in Seeded, [], CAPTURE_OF_NO_ORDER,
        says "it is a CAPTURE of no order";
    a_unit_that_is_paid_for_and_not_settled_is_found breaks "charged_units_end_once" "another_end" in Settled, [],
        "DELETE FROM unit_settlements WHERE outcome = 'CAPTURED'", says "is DELIVERED, its money is not settled";
    a_unit_delivered_and_its_money_returned_is_found breaks "charged_units_end_once" "another_end" in Settled, [],
        OUTCOMES_SWAPPED, says "is DELIVERED, its money is RELEASED";
    an_end_ahead_of_its_units_is_found breaks "charged_units_end_once" "open_behind_the_end" in Settled, ["orders"],
        "UPDATE orders SET refunded_quantity = 0", says "it has ended, and 1 of its units have not",
        and "order_money_adds_up", and "orders_move_only_as_allowed";
    a_second_hold_of_an_order_is_found breaks "money_moves_once_a_unit" "charged_twice" in Settled,
        ["ledger_transactions"], SECOND_HOLD, says "it has 2 of HOLD";
    a_unit_settled_twice_is_found breaks "money_moves_once_a_unit" "settled_twice" in Settled, ["unit_settlements"],
        "INSERT INTO unit_settlements SELECT * FROM unit_settlements WHERE outcome = 'RELEASED'",
        says "is settled 2 times";
    a_unit_settled_by_another_transaction_is_found breaks "money_moves_once_a_unit" "settled_by_another" in Settled, [],
        "UPDATE unit_settlements SET transaction_id = (SELECT t.id FROM ledger_transactions t WHERE t.kind = 'RELEASE')",
        says "is settled by a transaction that is none of its own";
    revenue_in_the_wrong_account_is_found breaks "revenue_is_split_as_priced" "another_split" in Sold, [],
        "UPDATE postings SET account = 'REVENUE_FEES' WHERE account = 'REVENUE_SALES'",
        says "its revenue is not split as it was priced";
    an_order_that_is_not_what_its_charge_said_is_found breaks "charges_bind" "another_deal" in OnCharge, [],
        "UPDATE charges SET expires_at = created_at", says "it is not what its charge said";
    two_orders_on_one_charge_are_found breaks "charges_bind" "used_twice" in OnCharge, ["orders"],
        "UPDATE orders SET charge_id = (SELECT c.id FROM charges c)", says "another order is on the same charge";

    two_orders_of_one_reference_are_found breaks "one_order_a_reference" "two_orders" in SoldTwice, ["orders"],
        "UPDATE orders SET reference = 'twice'", says "2 orders have its reference";
    a_unit_with_two_codes_is_found breaks "a_code_has_one_unit" "two_codes" in Sold, ["vouchers"],
        one_more_code("DELIVERED", "unit_index"), says " has 2 codes";
    a_code_in_stock_twice_is_found breaks "a_code_has_one_unit" "loaded_twice" in Seeded, ["vouchers"],
        "UPDATE vouchers SET blind_index = (SELECT v.blind_index FROM vouchers v ORDER BY v.id LIMIT 1)
        WHERE id IN (SELECT v.id FROM vouchers v ORDER BY v.id LIMIT 2)", says "it is in stock 2 times";
    a_delivered_unit_without_its_code_is_found breaks "delivered_units_have_their_code" "unit_without_code" in Sold,
        ["vouchers"], "UPDATE vouchers SET unit_index = 999 WHERE state = 'DELIVERED' AND unit_index = 2",
        says "unit 2 is delivered without its code";
    a_code_delivered_to_no_unit_is_found breaks "delivered_units_have_their_code" "code_without_unit" in Sold,
        ["vouchers"], one_more_code("DELIVERED", "500"), says "it is delivered to a unit that is not";
    a_step_that_nobody_allowed_is_found breaks "orders_move_only_as_allowed" "forbidden_step" in Sold,
        ["order_transitions"], "UPDATE order_transitions SET from_status = 'DELIVERED' WHERE version = 1",
        says "step 1 goes from DELIVERED to PENDING";
    a_step_from_elsewhere_is_found breaks "orders_move_only_as_allowed" "leap" in Sold, ["order_transitions"],
        "UPDATE order_transitions SET from_status = 'PROCESSING' WHERE version = 2",
        says "step 2 does not begin where the last one ended";
    a_state_without_its_step_is_found breaks "orders_move_only_as_allowed" "not_the_last_step" in Sold, ["orders"],
        "UPDATE orders SET status = 'PARTIALLY_DELIVERED'",
        says "it is PARTIALLY_DELIVERED at step 2, its last step says otherwise";
    a_state_that_does_not_follow_is_found breaks "orders_move_only_as_allowed" "not_of_its_units" in Sold, ["orders"],
        "UPDATE orders SET status = 'FAILED'", says "it is FAILED, its units make it DELIVERED";
    an_end_without_its_time_is_found breaks "orders_move_only_as_allowed" "ended_without_end" in Sold, ["orders"],
        "UPDATE orders SET completed_at = NULL", says "it is DELIVERED, and has no end";

    stock_that_nobody_loaded_is_found breaks "stock_is_conserved" "another_count" in Seeded, [], LOADED_BY_NOBODY,
        says "at 5000: 200 of 200 codes are available, the moves say 203 of 203";
    a_code_voided_in_silence_is_found breaks "stock_is_conserved" "another_count" in Seeded, [],
        "UPDATE vouchers SET state = 'VOIDED' WHERE id IN (SELECT v.id FROM vouchers v ORDER BY v.id LIMIT 1)",
        says "1 are voided, the moves say 0";
    a_gap_in_the_moves_is_found breaks "moves_number_without_gaps" "gap" in Sold, [],
        "UPDATE stock_writers SET n = 3 WHERE n = 1 AND writer IN
            (SELECT m.writer FROM stock_moves m WHERE m.kind = 'ALLOCATED')",
        says "its head is 3, its 1 moves have 1 numbers from 1 to 1";
    a_gap_in_the_moves_that_a_duplicate_hides_is_found breaks "moves_number_without_gaps" "gap" in Seeded,
        ["stock_moves"], MOVES_WITH_A_HIDDEN_GAP, says "its head is 4, its 4 moves have 3 numbers from 1 to 4";
    a_code_reserved_for_nobody_is_found breaks "reserved_codes_are_awaited" "reserved_for_nobody" in Sold, ["vouchers"],
        one_more_code("RESERVED", "500"), says "it is reserved for a unit that does not wait";
    a_code_in_the_place_of_another_unit_s_is_found breaks "replacements_cost_what_they_cost" "of_another_unit" in Replaced,
        ["vouchers"], "UPDATE vouchers SET replaces = (SELECT v.id FROM vouchers v WHERE v.unit_index = 2)
            WHERE replaces IS NOT NULL", says "it stands in the place of what is not its unit's", and "a_code_has_one_unit";
    a_code_given_after_the_money_is_found breaks "replacements_cost_what_they_cost" "after_a_refund" in Replaced, [],
        REFUNDED_BEFORE, says "it was given when the money of unit 1 was back", and "goodwill_is_given_once";
    another_cost_of_a_replacement_is_found breaks "replacements_cost_what_they_cost" "another_cost" in Replaced, [],
        "UPDATE ledger_transactions SET reference = 'vch_none' WHERE kind = 'REPLACEMENT'",
        says "it cost 40500000 USD more than is posted for it";
    other_money_of_a_replacement_is_found breaks "replacements_cost_what_they_cost" "other_money" in Replaced, ["ledger_transactions"],
        "UPDATE ledger_transactions SET kind = 'REPLACEMENT' WHERE kind = 'STOCK_LOAD'", says "it moved PAYABLE";
    a_cost_that_is_not_posted_is_found breaks "costs_are_posted" "another_sum" in Seeded, [],
        "UPDATE vouchers SET cost_micros = 5000000, cost_currency = 'USD' WHERE lot LIKE 'steam_wallet_50_usd%'",
        says "codes cost 1000000000, of which delivered 0; posted are 0 payable";

    a_code_without_contents_anywhere_is_found breaks "codes_are_there_as_long_as_they_must_be" "without_contents"
        in PassedThrough, ["vouchers"], "UPDATE vouchers SET purchase_id = NULL WHERE sealed IS NULL",
        says "its contents are neither here nor at a vendor";
    a_key_destroyed_too_early_is_found breaks "codes_are_there_as_long_as_they_must_be" "destroyed_too_early"
        in Destroyed, ["data_keys"], "UPDATE data_keys SET destroyed_at = destroyed_at - 2 * 86400000000",
        says "its key was destroyed before its time had passed";
    a_key_that_ends_too_early_is_found breaks "codes_are_there_as_long_as_they_must_be" "key_ends_too_early"
        in Kept, [], "UPDATE data_keys SET expires_at = expires_at - 2 * 3600000000",
        says "its key will be destroyed before its time has passed";
    stock_with_an_end_is_found breaks "codes_are_there_as_long_as_they_must_be" "stock_with_an_end" in Seeded, [],
        "UPDATE vouchers SET retention_secs = 86400 WHERE id = (SELECT min(v.id) FROM vouchers v)",
        says "it is in stock, and not kept for good", and "codes_are_gone_when_they_must_be";
    a_code_that_outlives_its_time_by_its_key_is_found breaks "codes_are_gone_when_they_must_be" "key_without_end"
        in Kept, [], "UPDATE data_keys SET expires_at = NULL", says "it is kept for a time, and its key for good";
    a_key_that_ends_too_late_is_found breaks "codes_are_gone_when_they_must_be" "key_ends_too_late" in Kept, [],
        "UPDATE data_keys SET expires_at = expires_at + 2 * 86400000000",
        says "its key outlives it by more than a day";
    a_key_that_is_whole_behind_its_end_is_found breaks "codes_are_gone_when_they_must_be" "key_is_whole" in Kept, [],
        "UPDATE data_keys SET expires_at = 1 WHERE expires_at IS NOT NULL",
        says "its time has passed, and it is not destroyed", and "codes_are_there_as_long_as_they_must_be";

    a_gap_in_the_steps_is_found breaks "each_step_is_told_once" "gap" in Sold, [],
        "UPDATE orders SET version = 3", says "its version is 3, its 2 steps have 2 numbers from 1 to 2",
        and "orders_move_only_as_allowed";
    a_step_that_was_not_told_is_found breaks "each_step_is_told_once" "untold" in Sold, [],
        "UPDATE events SET order_version = NULL WHERE kind = 'order.delivered'", says "step 2 is told by 0 events";
    a_step_that_was_invented_is_found breaks "each_step_is_told_once" "invented" in Sold, [],
        "UPDATE events SET order_version = 9 WHERE kind = 'wallet.debited'", says "it tells a step that no order took";
    an_event_about_another_is_found breaks "events_are_their_partners" "foreign" in Settled, [],
        "UPDATE events SET order_id = 'ord_none' WHERE kind = 'order.unit_refunded'",
        says "it is about nothing of its partner";
    a_gap_in_a_feed_is_found breaks "feeds_number_without_gaps" "gap" in Seeded, [],
        "UPDATE event_heads SET sequence = sequence + 1", says "it keeps 1 to 5, its 4 events have 4 numbers from 1 to 4";
    a_feed_that_keeps_more_than_it_says_is_found breaks "feeds_number_without_gaps" "gap" in Seeded, [],
        "UPDATE event_heads SET kept_from = 2, kept_since = 1",
        says "it keeps 2 to 4, its 4 events have 4 numbers from 1 to 4";
    a_feed_without_a_head_is_found breaks "feeds_number_without_gaps" "without_head" in Seeded, [],
        "DELETE FROM event_heads", says "its feed has no head", and "each_entry_is_told_once";
    an_entry_told_out_of_order_is_found breaks "each_entry_is_told_once" "out_of_order" in Sold, [], LAST_ENTRY_UNTOLD,
        says "an event tells entries 2 to 1 after 1";
    a_feed_that_does_not_begin_at_the_first_entry_is_found breaks "each_entry_is_told_once" "out_of_order" in Seeded, [],
        "UPDATE events SET payload = replace(payload, '\"first_entry\":1', '\"first_entry\":0')",
        says "an event tells entries 0 to 1 after 0";
    an_entry_that_was_not_told_is_found breaks "each_entry_is_told_once" "untold" in Sold, [], LAST_ENTRY_UNTOLD,
        says "its last entry is 2, told are 1";

    a_unit_that_was_bought_twice_is_found breaks "a_unit_is_bought_once" "bought_twice" in BoughtElsewhere,
        ["attempts", "purchases"], BOUGHT_TWICE, says "unit 1 was delivered 2 times";
    a_unit_that_was_bought_and_refunded_is_found breaks "a_unit_is_bought_once" "delivered_to_nobody" in Refused,
        ["purchases"], BOUGHT_TWICE, says "unit 1 was delivered, and is REFUNDED";
    a_purchase_that_did_not_await_the_last_one_is_found breaks "outcomes_are_not_guessed" "side_by_side"
        in BoughtElsewhere, [], "UPDATE attempts SET opened_at = 0 WHERE number = 2",
        says "attempt 2 at unit 1 began before attempt 1 ended";
    a_purchase_that_is_not_the_next_one_is_found breaks "outcomes_are_not_guessed" "gap" in BoughtElsewhere, [],
        "UPDATE attempts SET number = 3 WHERE number = 2", says "unit 1 has 2 attempts, the last one is number 3";
    a_unit_that_waits_for_nobody_is_found breaks "awaited_units_have_their_purchase" "nobody_asked" in Asked, [],
        "UPDATE purchases SET state = 'REFUSED', refusal = 'OTHER', ended_by = 'LOOK', ended_at = created_at",
        says "unit 1 awaits a vendor that nobody asked";
    a_unit_that_does_not_wait_for_its_purchase_is_found breaks "awaited_units_have_their_purchase" "not_awaited" in Asked,
        [], "UPDATE order_units SET status = 'PENDING', resolves_by = NULL",
        says "unit 1 is PENDING beside an open purchase";
    a_purchase_for_more_than_its_units_is_found breaks "purchases_are_their_attempts" "another_count" in Bought, [],
        "UPDATE purchases SET quantity = 2", says "it is for 2 units and delivered 1, its attempts are 1 and 1";
    a_vendor_that_is_owed_other_than_it_took_is_found breaks "vendors_are_owed_what_they_took" "another_debt" in Bought,
        [], "UPDATE purchases SET cost_micros = 19000001", says "its vendor took 19000001 and is owed 19000000";
    a_vendor_that_is_owed_for_nothing_is_found breaks "vendors_are_owed_what_they_took" "debt_without_purchase" in Bought,
        [], DEBT_FOR_NOTHING, says "it is owed for a purchase that was not made";
    a_credit_without_its_receipt_is_found breaks "delivered_units_have_their_code" "unit_without_receipt" in Credited, [],
        "DELETE FROM receipts", says "unit 1 is delivered without its receipt", and "costs_are_posted";
    a_receipt_for_nothing_is_found breaks "delivered_units_have_their_code" "receipt_without_unit" in Credited, [],
        RECEIPT_FOR_NOTHING, says "unit 2 has a receipt, and is not delivered";

    a_line_of_a_statement_that_is_not_owed_is_found breaks "vendors_are_owed_what_they_took" "another_line" in Seeded, [],
        "INSERT INTO statement_lines (vendor_id, vendor_ref, quantity, cost_micros, cost_currency, at, verdict, first_seen_at,
            settled_at) VALUES ('vnd_x', 'line_x', 1, 5, 'USD', 0, 'UNKNOWN_HERE', 0, 0)",
        says "its vendor took 5 USD more than is owed for it";
    a_correction_that_no_statement_brought_is_found breaks "vendors_are_owed_what_they_took" "correction_of_no_line" in Seeded,
        [], CORRECTION_OF_NO_LINE, says "it corrects what is owed by 7 USD more than a statement says";
}
