export { findBubblewrap } from './find-bubblewrap';
export { findOrInstallBubblewrap, type FindOrInstallBubblewrapOptions } from './find-or-install-bubblewrap';
export { findOrInstallPython, type FindOrInstallPythonOptions } from './find-or-install-python';
export { findOrInstallRedis, type FindOrInstallRedisOptions } from './find-or-install-redis';
export type { PythonCommand } from './find-python';
export type { RedisServerCommand } from './find-redis';
export { installTogether, type InstallTogetherOptions } from './install-together';
export { installDebianPackages, type InstalledPackages } from './install-debian-packages';
export { ProvisionError, type ProvisionErrorCode } from './provision-error';
