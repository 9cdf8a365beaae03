// From an order to its token as a plain shop does it, with Express 5 and MongoDB's official driver:
// the order is kept and made known to Razorpay, the webhook and the page's call mark it as paid once
// their signatures hold, and the page gets a token of which only the hash is kept.
import { createHash, createHmac, randomBytes, randomUUID, timingSafeEqual } from "node:crypto";
import express from "express";
import { MongoClient } from "mongodb";

const { PORT, MONGO_URL, RAZORPAY_URL, KEY_ID, KEY_SECRET, WEBHOOK_SECRET } = process.env;
const PLANS = { "premium-30": { price: 9900, days: 30 } };
const DAY = 24 * 3600 * 1000;

const client = await MongoClient.connect(MONGO_URL);
const orders = client.db("shop").collection("orders");
const tokens = client.db("shop").collection("tokens");
await orders.createIndex({ razorpay_order_id: 1 }, { unique: true, sparse: true });

const authorization = `Basic ${Buffer.from(`${KEY_ID}:${KEY_SECRET}`).toString("base64")}`;

async function makeKnownToRazorpay(order) {
  const answer = await fetch(`${RAZORPAY_URL}/v1/orders`, {
    method: "POST",
    headers: { authorization, "content-type": "application/json" },
    body: JSON.stringify({ amount: order.amount, currency: order.currency, receipt: order._id }),
  });
  if (!answer.ok) throw new Error(`Razorpay answered ${answer.status}`);
  return (await answer.json()).id;
}

function isSigned(text, signature, secret) {
  const given = Buffer.from(signature ?? "");
  const expected = Buffer.from(createHmac("sha256", secret).update(text).digest("hex"));
  return given.length === expected.length && timingSafeEqual(given, expected);
}

const refuse = (response, status, code) => response.status(status).json({ code });

const app = express();
app.disable("x-powered-by");
app.disable("etag"); // ours sends none, and it costs

app.post("/create-order", express.json(), async (request, response) => {
  const { email, plan: name, buyer } = request.body;
  const plan = PLANS[name];
  if (!plan || !email || !buyer?.name) return refuse(response, 422, "invalid_request");
  const order = {
    _id: `ord_${randomUUID().replaceAll("-", "")}`,
    email,
    plan: name,
    buyer,
    amount: plan.price,
    currency: "INR",
    status: "created",
    created_at: Date.now(),
  };
  await orders.insertOne(order);
  const order_id = await makeKnownToRazorpay(order);
  await orders.updateOne({ _id: order._id }, { $set: { razorpay_order_id: order_id } });
  return response.status(201).json({
    order_id: order._id,
    razorpay: { order_id, amount: order.amount, currency: order.currency, key_id: KEY_ID },
  });
});

app.post("/payment/webhook", express.raw({ type: "*/*" }), async (request, response) => {
  if (!isSigned(request.body, request.get("x-razorpay-signature"), WEBHOOK_SECRET))
    return refuse(response, 400, "signature_invalid");
  const { event, payload } = JSON.parse(request.body);
  if (event === "payment.captured") {
    const { id: payment_id, order_id: razorpay_order_id } = payload.payment.entity;
    // Found first: the embedded server uses this index to find, and not to update.
    const order = await orders.findOne({ razorpay_order_id });
    if (order?.status === "created")
      await orders.updateOne({ _id: order._id }, { $set: { status: "paid", payment_id } });
  }
  return response.json({ received: true });
});

app.post("/verify-payment", express.json(), async (request, response) => {
  const { order_id, razorpay_order_id, razorpay_payment_id, razorpay_signature } = request.body;
  const signed = `${razorpay_order_id}|${razorpay_payment_id}`;
  if (!isSigned(signed, razorpay_signature, KEY_SECRET))
    return refuse(response, 403, "signature_invalid");
  const order = await orders.findOne({ _id: order_id });
  if (order?.razorpay_order_id !== razorpay_order_id) return refuse(response, 404, "order_unknown");
  const token = `tmpods_premium_${randomBytes(24).toString("base64url")}`;
  const expires_at = Date.now() + PLANS[order.plan].days * DAY;
  await tokens.insertOne({
    _id: createHash("sha256").update(token).digest("hex"),
    order_id,
    expires_at,
  });
  await orders.updateOne(
    { _id: order_id },
    { $set: { status: "fulfilled", payment_id: razorpay_payment_id } },
  );
  return response.json({ status: "fulfilled", token, expires_at });
});

app.listen(Number(PORT), "127.0.0.1");
