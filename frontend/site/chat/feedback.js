import { fetchOrProblem, problemOf } from "./problems.js";

/**
 * Say that an answer of the semantic cache does not answer the question. The service deletes it, or
 * counts it as a vote where it is shared.
 * Throws Problem; an entry that is gone already is as good as deleted.
 *
 * @param {string} token
 * @param {string} entry
 */
export async function sayWrong(token, entry) {
  const response = await fetchOrProblem("/api/wrong-answer", {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` },
    body: JSON.stringify({ entry }),
  });
  if (!response.ok && response.status !== 404) throw await problemOf(response);
}
