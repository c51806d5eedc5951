"""What runs inside a worker node: the template, the children it forks, and the code they share.

Standard library only. `docs/wire-protocol.md` §1 is the contract; ARCHITECTURE.md says why a template exists.
No module here may import another one lazily: before user code runs the package is removed from `sys.modules`.
"""
