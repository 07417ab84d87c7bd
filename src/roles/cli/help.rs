//! Text below the flags in `--help`: examples, and everything that does not fit in one line.

pub(super) const ROOT: &str = "\
Getting started:
  ribbit up                  Run a cluster here; pages on http://127.0.0.1:8080
  ribbit status              Show its members and how many failures it tolerates
  ribbit demo persistence    Watch it recover from a complete power cut

Every flag can also be set by the environment variable shown with it, or in the
--config file under the same name. Precedence: flag, environment, file, default.

Exit codes:
  0   success
  1   refused
  2   wrong usage
  3   no server reachable
  4   not logged in
  5   degraded
  74  disk full or failing
  75  lock lost
  78  wrong configuration, or an operator has to act before a restart";

pub(super) const MAN: &str = "\
Examples:
  ribbit man | man -l -
  ribbit man > /usr/local/share/man/man1/ribbit.1";
