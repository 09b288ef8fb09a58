/** A metadata file for an image that a CI builds, made from the variables which the CI sets. */
import { utc } from "./metadata.ts";

type Environment = ReadonlyMap<string, string>;

/** The fields of the file, those that are known. `now`: seconds since the epoch. */
export function ciMetadata(environment: Environment, now: number): Record<string, unknown> {
  const first = (...names: readonly string[]): string | undefined =>
    names.map((name) => environment.get(name)).find((value) => value !== undefined && value !== "");
  // a reproducible build says which time it is
  const epoch = Number(first("SOURCE_DATE_EPOCH") ?? Number.NaN);
  const stamp = Number.isSafeInteger(epoch) && epoch > 0 ? epoch : now;
  const fields: Record<string, unknown> = {
    validate_method: first("VALIDATE_METHOD"),
    start_method: first("START_METHOD"),
    update_method: first("UPDATE_METHOD"),
    monitor_method: first("MONITOR_METHOD"),
    metrics_method: first("METRICS_METHOD"),
    validate: first("VALIDATE_METHOD") !== undefined,
    build_cause: first("BUILD_CAUSE", "ROOT_BUILD_CAUSE", "GITHUB_EVENT_NAME", "CI_PIPELINE_SOURCE"),
    build_tag: first("BUILD_TAG") ?? tagOf(first),
    ci: first("CI", "JENKINS_URL", "GITHUB_ACTIONS", "GITLAB_CI") !== undefined,
    image_tag_names: (first("IMAGE_TAG_NAMES", "IMAGE_TAG_NAME") ?? "")
      .split(/[\s,]+/)
      .filter((name) => name !== ""),
    project: first("PROJECT", "JOB_NAME", "GITHUB_REPOSITORY", "CI_PROJECT_PATH"),
    build_time: utc(stamp),
    build_time_stamp: stamp,
    image_name: first("IMAGE_NAME", "CI_REGISTRY_IMAGE"),
    gitref: first("GIT_COMMIT", "GITHUB_SHA", "CI_COMMIT_SHA"),
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** `github-org/repository-17`, `gitlab-group/project-2041`; Jenkins has one of its own. */
function tagOf(first: (...names: readonly string[]) => string | undefined): string | undefined {
  const github = first("GITHUB_RUN_NUMBER");
  if (github !== undefined) return `github-${first("GITHUB_REPOSITORY") ?? "build"}-${github}`;
  const gitlab = first("CI_PIPELINE_IID", "CI_PIPELINE_ID");
  return gitlab === undefined ? undefined : `gitlab-${first("CI_PROJECT_PATH") ?? "build"}-${gitlab}`;
}
