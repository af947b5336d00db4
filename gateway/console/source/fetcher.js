/** A GraphiQL fetcher that posts to `endpoint` as GraphQL over HTTP says. Throws where the answer is not JSON. */
export function createFetcher(endpoint) {
  return async (request, { headers } = {}) => {
    const response = await fetch(endpoint, {
      method: "POST",
      headers: {
        Accept: "application/graphql-response+json, application/json;q=0.9",
        "Content-Type": "application/json",
        ...headers,
      },
      body: JSON.stringify(request),
    });
    const text = await response.text();
    try {
      return JSON.parse(text);
    } catch {
      throw new Error(`The gateway answered ${response.status} ${response.statusText}, and not in JSON: ${text}`);
    }
  };
}
