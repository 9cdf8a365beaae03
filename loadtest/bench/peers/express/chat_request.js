// Checks the body of POST /v1/chat/completions, field by field, and takes out of it what the answer
// depends on.

const ROLES = { system: "system", developer: "system", user: "user", assistant: "assistant" };
const MESSAGE_BYTES = 64 * 1024;

const isNumber = (least, most) => (value) =>
  typeof value === "number" && value >= least && value <= most;
const isWhole = (least) => (value) => Number.isInteger(value) && value >= least;
const isText = (value) => typeof value === "string";
const isObject = (value) => typeof value === "object" && !Array.isArray(value);
const isStops = (value) =>
  isText(value) || (Array.isArray(value) && value.length <= 4 && value.every(isText));
const isAny = () => true;
const asksForNothing = (...plain) => (value) => plain.includes(value);

const SAMPLING = {
  temperature: isNumber(0, 2),
  top_p: isNumber(0, 1),
  stop: isStops,
  seed: isWhole(Number.MIN_SAFE_INTEGER),
  presence_penalty: isNumber(-2, 2),
  frequency_penalty: isNumber(-2, 2),
  logit_bias: (value) => isObject(value) && Object.values(value).every(isNumber(-100, 100)),
};
const MESSAGE_FIELDS = new Set(["role", "content", "name", "refusal", "annotations"]);
const FIELDS = {
  messages: (value) => Array.isArray(value) && value.length >= 1 && value.length <= 500,
  model: (value) => isText(value) && value.length <= 200,
  stream: (value) => value === false,
  max_tokens: isWhole(1),
  max_completion_tokens: isWhole(1),
  ...SAMPLING,
  user: isText,
  safety_identifier: isText,
  metadata: isObject,
  store: (value) => typeof value === "boolean",
  service_tier: isText,
  prompt_cache_key: isText,
  prompt_cache_options: isAny,
  prompt_cache_retention: isText,
  prediction: isAny,
  parallel_tool_calls: (value) => typeof value === "boolean",
  reasoning_effort: isText,
  verbosity: isText,
  n: asksForNothing(1),
  response_format: (value) => isObject(value) && [undefined, "text"].includes(value.type),
  tools: (value) => Array.isArray(value) && value.length === 0,
  tool_choice: asksForNothing("none", "auto"),
  logprobs: asksForNothing(false),
  top_logprobs: asksForNothing(0),
};

function plainMessage(message) {
  if (message === null || !isObject(message)) return null;
  for (const field of Object.keys(message)) if (!MESSAGE_FIELDS.has(field)) return null;
  const role = ROLES[message.role];
  if (role === undefined) return null;
  let content = message.content ?? "";
  if (Array.isArray(content)) {
    if (!content.every((part) => part?.type === "text" && isText(part.text))) return null;
    content = content.map((part) => part.text).join("\n");
  }
  if (!isText(content) || !content.isWellFormed()) return null;
  if (Buffer.byteLength(content) > MESSAGE_BYTES) return null;
  if (content.trim() === "" && role !== "assistant") return null;
  return [role, content];
}

// Returns {model, messages, options, answerTokens}, or null for what is not valid.
export function checked(body, defaultTokens, mostTokens) {
  if (body === null || !isObject(body ?? null)) return null;
  for (const [field, value] of Object.entries(body)) {
    const holds = Object.hasOwn(FIELDS, field) ? FIELDS[field] : undefined;
    if (holds === undefined || (value !== null && !holds(value))) return null;
  }
  if (!body.messages || !body.model) return null;
  const messages = body.messages.map(plainMessage);
  if (messages.includes(null) || messages.at(-1)[0] !== "user") return null;
  const answerTokens = body.max_completion_tokens ?? body.max_tokens ?? defaultTokens;
  if (answerTokens > mostTokens) return null;
  const options = Object.keys(SAMPLING)
    .filter((name) => (body[name] ?? null) !== null)
    .map((name) => [name, body[name]]);
  return { model: body.model, messages, options, answerTokens };
}
