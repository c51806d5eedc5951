"""Modules of which restricted code sees chosen names only, because the others open files, start something or lead on.

Of every other allowed module it sees all public names (`module_views`). A submodule of a curated module is not allowed by
the module's own entry: it needs one of its own.
"""

_PATHS = "altsep basename commonpath commonprefix curdir dirname extsep isabs join normcase normpath pardir pathsep sep split splitdrive splitext splitroot"

NAMES = {
    name: tuple(names.split())
    for name, names in {
        "io": """
            StringIO BytesIO TextIOWrapper BufferedReader BufferedWriter IOBase RawIOBase BufferedIOBase TextIOBase
            DEFAULT_BUFFER_SIZE SEEK_SET SEEK_CUR SEEK_END UnsupportedOperation
        """,
        "sys": """
            api_version argv builtin_module_names byteorder copyright dont_write_bytecode exc_info exception exit flags float_info float_repr_style
            get_int_max_str_digits getdefaultencoding getfilesystemencoding getrecursionlimit getrefcount getsizeof hash_info hexversion
            implementation int_info intern maxsize maxunicode platform set_int_max_str_digits setrecursionlimit
            stderr stdin stdlib_module_names stdout version version_info
        """,
        "types": """
            AsyncGeneratorType BuiltinFunctionType CoroutineType EllipsisType GeneratorType GenericAlias MappingProxyType
            MethodType NoneType NotImplementedType SimpleNamespace TracebackType UnionType
        """,
        "gc": "collect disable enable get_count get_threshold isenabled set_threshold",
        "pathlib": "PurePath PurePosixPath PureWindowsPath",
        "posixpath": _PATHS,
        "ntpath": _PATHS,
        "traceback": """
            FrameSummary TracebackException extract_tb format_exc format_exception format_exception_only format_list
            format_tb print_exc print_exception print_list print_tb
        """,
        "asyncio": """
            ALL_COMPLETED FIRST_COMPLETED FIRST_EXCEPTION AbstractEventLoop Barrier BoundedSemaphore BrokenBarrierError
            CancelledError Condition Event Future Handle InvalidStateError LifoQueue Lock PriorityQueue Queue QueueEmpty
            QueueFull QueueShutDown Runner Semaphore Task TaskGroup TimeoutError Timeout TimerHandle all_tasks as_completed
            create_task current_task ensure_future gather get_event_loop get_running_loop iscoroutine
            iscoroutinefunction isfuture new_event_loop run set_event_loop shield sleep timeout timeout_at wait wait_for
        """,
        "inspect": """
            cleandoc getdoc isabstract isasyncgen isasyncgenfunction isawaitable isbuiltin isclass iscoroutine
            iscoroutinefunction isfunction isgenerator isgeneratorfunction ismethod isroutine
        """,
        "locale": """
            CHAR_MAX Error LC_ALL LC_COLLATE LC_CTYPE LC_MESSAGES LC_MONETARY LC_NUMERIC LC_TIME atof atoi currency
            delocalize format_string getlocale getpreferredencoding localeconv localize normalize setlocale str strcoll
            strxfrm
        """,
        "platform": "machine python_implementation python_version python_version_tuple system",
        "xml.sax": "",
    }.items()
}

# Allowed modules have these below them, which configure, connect or serve.
CLOSED_SUBMODULES = ("logging.config", "logging.handlers", "http.client", "http.cookiejar", "http.server")


def is_own_matter(name):
    """Whether the entry of the package does not allow what is below it, or this part of it."""
    return name in CLOSED_SUBMODULES or name.rpartition(".")[0] in NAMES
