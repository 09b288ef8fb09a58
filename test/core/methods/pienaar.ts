/** The metadata file of a base image, as in the report that R.I. Pienaar's container script prints. */
export const BASE = {
  project: "centos_base",
  image_name: "ripienaar/centos_base",
  image_tag_names: ["hub.my.net/ripienaar/centos_base"],
  ci: true,
  gitref: "fcb5f3c664b293c7a196c9809a33714427804d40",
  build_cause: "TIMERTRIGGER",
  build_time: "2015-03-24 03:25:01",
  build_time_stamp: 1_427_167_501,
  build_tag: "jenkins-docker centos_base-20",
};
