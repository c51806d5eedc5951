import os
import resource

soft, hard = resource.prlimit(os.getppid(), resource.RLIMIT_CORE)
resource.prlimit(os.getppid(), resource.RLIMIT_CORE, (soft, hard))
result = True
