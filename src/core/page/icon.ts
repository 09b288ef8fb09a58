/** The built-in icons, and which one a service gets. */

/** Shapes on a grid of 24, drawn with a line of 1.75 units. */
export const ICONS = {
  bell: "M6 16V11a6 6 0 0 1 12 0v5l1.5 2h-15zM10 21h4",
  book: "M4 5c3-1 6-1 8 1 2-2 5-2 8-1v13c-3-1-6-1-8 1-2-2-5-2-8-1zM12 6v13",
  box: "M12 3l8 4.5v9L12 21l-8-4.5v-9zM4 7.5l8 4.5 8-4.5M12 12v9",
  bug: "M9 8a3 3 0 0 1 6 0M7 10h10v5a5 5 0 0 1-10 0zM3 9l4 2M21 9l-4 2M3 19l4-2M21 19l-4-2M12 10v10",
  chart: "M4 4v16h16M8 16v-4M12 16V8M16 16v-6",
  chat: "M4 5h16v11h-9l-4 4v-4H4z",
  clock: "M12 3a9 9 0 1 0 0 18 9 9 0 1 0 0-18M12 7v5l3 2",
  cloud: "M7 18a4 4 0 0 1-.5-8A6 6 0 0 1 18 9.5a4.3 4.3 0 0 1-.5 8.5z",
  code: "M8 7l-5 5 5 5M16 7l5 5-5 5M14 4l-4 16",
  database: "M4 6c0-4 16-4 16 0s-16 4-16 0v12c0 4 16 4 16 0V6M4 12c0 4 16 4 16 0",
  download: "M12 3v12M7 10l5 5 5-5M4 20h16",
  file: "M6 3h8l5 5v13H6zM14 3v5h5M9 13h6M9 17h6",
  gear: "M12 8.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 1 0 0-7M12 3v3M12 18v3M3 12h3M18 12h3M5.6 5.6l2.2 2.2M16.2 16.2l2.2 2.2M5.6 18.4l2.2-2.2M16.2 7.8l2.2-2.2",
  git: "M7 6.5v11M17 9.5v1a4 4 0 0 1-4 4H7M7 2.5a2 2 0 1 0 0 4 2 2 0 1 0 0-4M17 5.5a2 2 0 1 0 0 4 2 2 0 1 0 0-4M7 17.5a2 2 0 1 0 0 4 2 2 0 1 0 0-4",
  globe: "M12 3a9 9 0 1 0 0 18 9 9 0 1 0 0-18M3 12h18M12 3c5 5 5 13 0 18M12 3c-5 5-5 13 0 18",
  home: "M4 11l8-7 8 7v9h-6v-6h-4v6H4z",
  image: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 8.5v.1",
  key: "M8 11a4 4 0 1 0 0 8 4 4 0 1 0 0-8M11 12l8-8M16 7l3 3",
  lock: "M5 11h14v9H5zM8 11V8a4 4 0 0 1 8 0v3M12 15v2",
  mail: "M3 6h18v12H3zM3 7l9 7 9-7",
  music:
    "M9 18V5l11-2v13M6 15.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 1 0 0-5M17 13.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 1 0 0-5",
  network: "M9 3h6v5H9zM3 16h6v5H3zM15 16h6v5h-6zM12 8v4M6 16v-4h12v4",
  play: "M3 5h18v14H3zM10 9v6l5-3z",
  queue: "M4 6h16M4 12h16M4 18h10",
  search: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 1 0 0-13M15.5 15.5L21 21",
  shield: "M12 3l8 3v6c0 5-4 8-8 9-4-1-8-4-8-9V6z",
  terminal: "M3 4h18v16H3zM7 9l3 3-3 3M13 15h4",
  users: "M9 5a3 3 0 1 0 0 6 3 3 0 1 0 0-6M3 20c0-8 12-8 12 0M15.5 5a3 3 0 0 1 0 6M17 14c3 .5 4 3 4 6",
} as const;

export type Icon = keyof typeof ICONS;

/** Words in an image's name, or in the icon of another dashboard, that identify a program. */
const KNOWN: readonly (readonly [Icon, RegExp])[] = [
  [
    "database",
    /postgres|mysql|maria|mongo|redis|valkey|memcache|cassandra|influx|clickhouse|couch|sqlite|adminer|elasticsearch|opensearch|etcd|minio/,
  ],
  [
    "chart",
    /grafana|prometheus|kibana|metabase|superset|netdata|cadvisor|exporter|zabbix|matomo|plausible|chart/,
  ],
  ["git", /git|gogs|forgejo|svn/],
  ["gear", /jenkins|drone|woodpecker|runner|concourse|teamcity|buildbot|ansible|portainer|cog/],
  ["queue", /rabbit|kafka|nats|mosquitto|mqtt|activemq|celery|worker/],
  ["mail", /mail|postfix|dovecot|smtp|roundcube|imap/],
  ["chat", /mattermost|rocket|zulip|synapse|matrix|element|irc|jitsi/],
  ["book", /wiki|bookstack|docs|outline|confluence|paperless|calibre/],
  ["shield", /pihole|adguard|wireguard|openvpn|crowdsec|authelia|firewall/],
  ["key", /vault|keycloak|authentik|bitwarden|ldap|dex/],
  ["network", /traefik|haproxy|bind|coredns|dnsmasq|unbound|proxy|dhcp|tftp|dns/],
  ["cloud", /nextcloud|owncloud|seafile|syncthing/],
  ["play", /jellyfin|plex|emby|tube/],
  ["music", /navidrome|airsonic|music/],
  ["image", /immich|photoprism|gallery|photo/],
  ["download", /nexus|artifactory|registry|harbor|torrent|mirror/],
  ["home", /home-?assistant|openhab|node-?red|heimdall|homepage|homarr/],
  ["bell", /alertmanager|ntfy|gotify|uptime/],
  ["bug", /sentry|mantis|bugzilla|redmine|jira/],
  ["code", /code-server|jupyter|notebook|php|python|node|ruby|golang|java/],
  ["search", /search|solr|lucene/],
  ["globe", /nginx|httpd|apache|caddy|frontend|web|www|wordpress|ghost|drupal|lighttpd/],
];

/** What `ocdd.icon` names, else what another dashboard's icon or the image's name suggests, else a box. */
export function iconOf(own: string | undefined, foreign: string | undefined, image: string): Icon {
  const wish = plain(own);
  if (Object.hasOwn(ICONS, wish)) return wish as Icon;
  const hint = plain(foreign).replace(/^(mdi|si|sh|fa)-/, "");
  if (Object.hasOwn(ICONS, hint)) return hint as Icon;
  const repository =
    image
      .slice(0, 512)
      .toLowerCase()
      .replace(/[:@][^/]*$/, "")
      .split("/")
      .at(-1) ?? "";
  for (const text of [hint, repository]) {
    const known = KNOWN.find(([, words]) => words.test(text));
    if (known !== undefined) return known[0];
  }
  return "box";
}

/** What a label names an icon by, without the suffix of an image file. */
export function plain(text: string | undefined): string {
  return (text ?? "")
    .slice(0, 256)
    .trim()
    .toLowerCase()
    .replace(/\.(svg|png|webp)$/, "");
}
