// From an event to a mailed invoice as a plain service does it: the event is kept, the invoice gets
// the next number of a counter, is drawn, put into the bucket and mailed, and order is told.
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { Kafka, logLevel } from "kafkajs";
import { MongoClient } from "mongodb";
import { createTransport } from "nodemailer";
import PDFDocument from "pdfkit";

const { BROKER, TOPIC, CONFIRMATIONS, MONGO_URL, S3_URL, BUCKET, ACCESS_KEY, SECRET_KEY } =
  process.env;
const { SMTP_URL } = process.env;
const PARTITIONS = 4;

const client = await MongoClient.connect(MONGO_URL);
const invoices = client.db("peer").collection("invoices");
const counters = client.db("peer").collection("counters");
await invoices.createIndex({ order_id: 1 });

const s3 = new S3Client({
  endpoint: S3_URL,
  region: "us-east-1",
  forcePathStyle: true,
  credentials: { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY },
  requestChecksumCalculation: "WHEN_REQUIRED",
});
const { hostname, port } = new URL(SMTP_URL);
const mailer = createTransport({ host: hostname, port: Number(port), pool: true, secure: false });

const kafka = new Kafka({ clientId: "peer", brokers: [BROKER], logLevel: logLevel.ERROR });
const producer = kafka.producer();
const consumer = kafka.consumer({ groupId: "peer", maxWaitTimeInMs: 200 });

const rupees = (paise) => `INR ${(paise / 100).toFixed(2)}`;

function draw(invoice, { seller, buyer, plan, price, email }) {
  const document = new PDFDocument({ size: "A4", margin: 50 });
  const chunks = [];
  document.on("data", (chunk) => chunks.push(chunk));
  const done = new Promise((resolve) => {
    document.on("end", () => resolve(Buffer.concat(chunks)));
  });
  document.fontSize(20).text("Tax invoice").moveDown();
  document.fontSize(10);
  document.text(`Number: ${invoice.number}`).text(`Date: ${new Date(invoice.issued_at).toUTCString()}`);
  document.text(`Order: ${invoice.order_id}`).moveDown();
  document.text(seller.name).text(seller.address).text(`GSTIN: ${seller.gstin}`).moveDown();
  document.text(buyer.name).text(`State: ${buyer.state}`).text(email).moveDown();
  document.text(`${plan.title}, HSN ${plan.hsn}: ${rupees(price.taxable)}`);
  for (const tax of price.taxes)
    document.text(`${tax.name} ${tax.rate / 100} %: ${rupees(tax.amount)}`);
  document.fontSize(12).text(`Total: ${rupees(price.total)}`).moveDown();
  document.fontSize(10).text(`Questions? ${seller.email}`);
  document.end();
  return done;
}

async function deliver(event) {
  const paid = event.body;
  const invoice = { _id: event.id, order_id: paid.order_id, status: "open", event };
  try {
    await invoices.insertOne(invoice);
  } catch (error) {
    if (error.code === 11000) return; // seen before
    throw error;
  }
  const { sequence } = await counters.findOneAndUpdate(
    { _id: "PEER/2627" },
    { $inc: { sequence: 1 } },
    { upsert: true, returnDocument: "after" },
  );
  invoice.number = `PEER/2627/${String(sequence).padStart(6, "0")}`;
  invoice.issued_at = Date.now();
  const pdf = await draw(invoice, paid);
  const filename = `${invoice.number.replaceAll("/", "-")}.pdf`;
  const key = `peer/2026-27/${paid.order_id}/${filename}`;
  await s3.send(
    new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: pdf, ContentType: "application/pdf" }),
  );
  const text = `Thank you. Your invoice ${invoice.number} for order ${paid.order_id} is attached.`;
  await mailer.sendMail({
    from: "peer@localhost.localdomain",
    to: paid.email,
    subject: `Your invoice ${invoice.number}`,
    text,
    html: `<p>${text}</p>`,
    attachments: [{ filename, content: pdf, contentType: "application/pdf" }],
  });
  const { number, issued_at } = invoice;
  await invoices.updateOne(
    { _id: event.id },
    { $set: { status: "done", number, issued_at, key, mailed_at: Date.now() } },
  );
  await producer.send({
    topic: CONFIRMATIONS,
    messages: [
      { key: paid.order_id, value: JSON.stringify({ body: { confirms: event.id, number } }) },
    ],
  });
}

await producer.connect();
await consumer.connect();
await consumer.subscribe({ topic: TOPIC, fromBeginning: true });
await consumer.run({
  partitionsConsumedConcurrently: PARTITIONS,
  eachMessage: ({ message }) => deliver(JSON.parse(message.value.toString())),
});
