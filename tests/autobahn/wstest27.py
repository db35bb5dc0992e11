# Runs the original Autobahn test suite, in CPython 2.7 (so this file is Python 2).
#
#   python2.7 wstest27.py PACKAGES MODE SPEC
#
# PACKAGES is the folder the suite is installed in. Beyond the suite's own command it listens on 127.0.0.1 alone, opens
# no web port, and writes its reports when it is told to stop (SIGTERM), so that a run which was given up shows how
# far it came.
import site
import sys

packages, mode, spec = sys.argv[1:]
sys.path.insert(0, packages)
site.addsitedir(packages)  # for the namespace package zope

from autobahntestsuite import fuzzing, wstest
from twisted.internet import reactor

factories = []
listen, connect = fuzzing.listenWS, fuzzing.connectWS


def listen_on_loopback(factory, context=None):
    factories.append(factory)
    return listen(factory, context, interface="127.0.0.1")


def connect_and_remember(factory, *args, **kwargs):
    factories.append(factory)
    return connect(factory, *args, **kwargs)


def report():
    for factory in factories[-1:]:
        factory.createReports()


fuzzing.listenWS, fuzzing.connectWS = listen_on_loopback, connect_and_remember
reactor.addSystemEventTrigger("before", "shutdown", report)
sys.argv = ["wstest", "--mode", mode, "--spec", spec, "--webport", "0"]
wstest.run()
