/**
 * The images that the stores are tested on. The first of each is what tests take by default; CI takes each in turn, see
 * `.github/workflows/ci.yml`, which reads this file as it is.
 */
export const images = {
  redis: [
    'redis:7.4-alpine',
    'redis:6.2-alpine',
    'redis:8.2-alpine',
    'redis:8.4-alpine',
    'valkey/valkey:8.1-alpine',
  ],
  mariadb: ['mariadb:11.8', 'mariadb:10.6', 'mariadb:10.11'],
  mysql: ['mysql:8.4', 'mysql:5.7', 'mysql:9.4'],
  postgres: ['postgres:17', 'postgres:13', 'postgres:14', 'postgres:15', 'postgres:16', 'postgres:18'],
  mongo: ['mongo:8.0', 'mongo:7.0', 'mongo:6.0', 'mongo:5.0'],
} as const;

/** The store whose tests run on a server. */
const projects: Record<keyof typeof images, string> = {
  redis: 'redis',
  mariadb: 'mysql',
  mysql: 'mysql',
  postgres: 'postgres',
  mongo: 'mongo',
};

/** Each image with the variable that names it and the tests that take it. */
export const matrix = Object.entries(projects).flatMap(([server, project]) =>
  images[server as keyof typeof images].map((image) => ({
    image,
    project,
    variable: `${server.toUpperCase()}_IMAGE`,
  })),
);
