"""What a refused program can do instead: the sentence of a refusal that comes before the way to ADMIN mode."""

import sys

_FILES = "Pass the text in `variables`, and read it with io.StringIO or io.BytesIO."
_NETWORK = "There is no network here: fetch the data before, and pass it in `variables`."
_PROCESSES = "A job is one process: send other work as jobs of its own."
_WAITS = "Waits overlap with asyncio.gather; for more at once send several jobs."
_PICKLED = "json and struct write data that can be read back safely."
_SECRETS = "Pass values in `variables`; there is no environment to read."
_CLASSES = "isinstance and issubclass answer what a class is; __init_subclass__ can keep a list of subclasses."
_NAMESPACES = "Keep the values in a dict of your own."
_INSPECTED = "callable(), __name__, __doc__ and __annotations__ tell of a function."

_MODULES = {
    "os": "For names of files use pathlib.PurePath; values of the environment come in `variables`.",
    "builtins": "The builtins are there without an import.",
    "importlib": "Import the module by its name.",
    "pickle": _PICKLED,
    "copyreg": _PICKLED,
    "timeit": "time.perf_counter measures.",
    "cProfile": "time.perf_counter measures.",
    "atexit": "Use try … finally.",
    "signal": "The job's time limit ends it; asyncio.timeout ends a part of it.",
    "dis": _INSPECTED,
    "zipfile": "zlib, gzip, bz2 and lzma compress in memory.",
    "tarfile": "zlib, gzip, bz2 and lzma compress in memory.",
    "urllib.error": _NETWORK,
    "getpass": _SECRETS,
    "logging.config": "logging.basicConfig and the classes of logging configure it.",
    "logging.handlers": "logging.StreamHandler writes to the captured stderr.",
    "xml.sax": "xml.etree.ElementTree.fromstring and iterparse read XML.",
}
for _names, _sentence in (
    ("shutil glob tempfile fileinput mmap linecache dbm sqlite3 zipimport posix nt", _FILES),
    (
        "requests httpx aiohttp urllib urllib.request urllib3 http.client http.server http.cookiejar socket ssl ftplib smtplib "
        "poplib imaplib telnetlib paramiko xmlrpc socketserver select selectors webbrowser pymodbus opcua asyncua",
        _NETWORK,
    ),
    ("subprocess pty tty termios fcntl", _PROCESSES),
    ("threading _thread multiprocessing concurrent", _WAITS),
    ("marshal shelve dill cloudpickle", _PICKLED),
):
    for _name in _names.split():
        _MODULES[_name] = _sentence
_OPERATOR = "Your operator can allow it with PYTHON3_RESTRICTED_MODULES."

_FUNCTIONS = {
    "open": _FILES,
    "eval": "ast.literal_eval reads literals; an expression can be a job of its own.",
    "exec": "Write the code out, or send it as a job of its own.",
    "compile": "Write the code out, or send it as a job of its own.",
    "input": "Pass the values in `variables`.",
    "__import__": "Use the import statement.",
    "breakpoint": "print and logging show values.",
    "globals": _NAMESPACES,
    "locals": _NAMESPACES,
    "vars": "vars(x) of an object works; without one it is locals().",
    "help": "__doc__ has the text.",
}

_EFFECTS = {
    **dict.fromkeys("glob pathlib shutil tempfile sqlite3 mmap".split(), _FILES),
    **dict.fromkeys("socket urllib http ftplib smtplib imaplib poplib webbrowser".split(), _NETWORK),
    **dict.fromkeys("subprocess pty".split(), _PROCESSES),
    "_thread": _WAITS,
}

_ATTRIBUTES = {
    **dict.fromkeys(("__base__", "__bases__", "__mro__", "mro", "__subclasses__"), _CLASSES),
    **dict.fromkeys(("__globals__", "__builtins__", "__closure__", "__self__"), _NAMESPACES),
    **dict.fromkeys(("__code__", "__defaults__", "__kwdefaults__", "__signature__"), _INSPECTED),
    "__file__": "There is no file: the code is the job's own text.",
    "tb_frame": "traceback.extract_tb tells the lines.",
    "tb_next": "traceback.extract_tb tells the lines.",
    "__getattribute__": "Define __getattr__, or use getattr(x, name).",
}

_MEMBERS = {
    **dict.fromkeys(("pathlib.Path", "pathlib.PosixPath", "pathlib.WindowsPath"), "For names of files use PurePath. " + _FILES),
    **dict.fromkeys(("io.open", "io.FileIO", "io.open_code", "codecs.open"), _FILES),
    "sys.modules": "Import the module by its name.",
    "sys.path": "Import the module by its name.",
    "asyncio.to_thread": "There are no threads: call the function.",
    "asyncio.run_in_executor": "There are no threads: call the function.",
    "types.FunctionType": "callable(x) and inspect.isfunction(x) tell functions.",
    "types.LambdaType": "callable(x) and inspect.isfunction(x) tell functions.",
    "types.ModuleType": "types.SimpleNamespace holds names.",
    "inspect.signature": _INSPECTED,
    "platform.node": _SECRETS,
}


def to_module(name):
    """The sentence for a module, or an empty text."""
    top = name.partition(".")[0]
    known = _MODULES.get(name, _MODULES.get(top))
    if known is not None:
        return known
    return "" if top in sys.stdlib_module_names else _OPERATOR


def to_function(name):
    return _FUNCTIONS.get(name, "")


def to_attribute(name):
    return _ATTRIBUTES.get(name, "")


def to_member(module, name):
    known = _MEMBERS.get(f"{module}.{name}")
    if known is None and module == "asyncio" and name[:1].islower():
        return "asyncio here computes and sleeps; it has no sockets, processes and threads."
    return known or ""


def to_effect(event):
    """For an operation that Python announces (PEP 578), by its first part."""
    return _EFFECTS.get(event.partition(".")[0], "")
