//! Answers that are JSON of the right form, and wrong.
//! Always true: what was bought is another matter. Not here: answers that are none (`proxy.rs`).

use serde_json::{Value, json};

use crate::vendors::hostile::Fault;

/// The text of an order as a fault has it.
pub(super) fn mangled(fault: Fault, body: String) -> String {
    let Ok(mut told) = serde_json::from_str::<Value>(&body) else { return body };
    let order = if told["data"].is_array() { &mut told["data"][0] } else { &mut told };
    if order["reference"].is_null() {
        return body;
    }
    let each_face = |order: &mut Value, member: &str, value: &Value| {
        order["face_value"][member] = value.clone();
        for voucher in order["vouchers"].as_array_mut().into_iter().flatten() {
            voucher["face_value"][member] = value.clone();
        }
    };
    match fault {
        Fault::OtherReference => order["reference"] = json!("another"),
        Fault::WrongCurrency => each_face(order, "currency", &json!("EUR")),
        Fault::WrongFace => each_face(order, "amount", &json!("5.00")),
        Fault::More => {
            let vouchers = order["vouchers"].as_array_mut().unwrap();
            let mut more = vouchers[0].clone();
            more["unit_index"] = json!(99);
            more["code"] = json!("ONE-MORE");
            vouchers.push(more);
        }
        Fault::Fewer => drop(order["vouchers"].as_array_mut().unwrap().pop()),
        _ => return body,
    }
    told.to_string()
}
