// Answers requests, given as JSON on standard input, with what IAM would decide: a list of [decision, why not].
// @cloud-copilot/iam-simulate is AGPL-3.0: it stays in this process, which only the checks start.
import { readFileSync } from "node:fs";
import { runSimulation } from "@cloud-copilot/iam-simulate";

const { policies, requests } = JSON.parse(readFileSync(0, "utf8"));

async function decide({ principal, action, resource, account, context, holder, resourcePolicy }) {
  const answer = await runSimulation(
    {
      request: { principal, action, resource: { resource, accountId: account }, contextVariables: context },
      identityPolicies: [{ name: holder, policy: policies[holder] }],
      resourcePolicy: resourcePolicy ? policies[resourcePolicy] : undefined,
      serviceControlPolicies: [],
      resourceControlPolicies: [],
    },
    {},
  );
  if (answer.resultType === "error") return ["Error", JSON.stringify(answer.errors)];
  return [answer.overallResult, (answer.result?.ignoredContextKeys ?? []).join(", ")];
}

console.log(JSON.stringify(await Promise.all(requests.map(decide))));
