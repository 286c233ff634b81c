//! Whom a scope takes: the grid says which transformers are dead, the state who hangs on them.

use gridbell_model::{AccountNumber, Moment, PrefectureCode, Traits};
use gridbell_outages::{Affected, Concerned, Error, Reach, Scope};
use gridbell_state::{MAX_SOURCES, Sources, State};
use gridbell_topology::{Code, Scope as GridScope, TransformerSet};
use rustc_hash::FxHashSet;

/// The state, asked whom a scope takes.
pub(super) struct OfState<'a>(pub(super) &'a State);

impl Reach for OfState<'_> {
    fn affected(&self, _prefecture: PrefectureCode, scope: &Scope, back: &[Scope], at: Moment) -> Affected {
        let grid = self.0.grid();
        let alive = back.iter().map(|part| grid.dead(&in_grid(part), at));
        let dead = alive.fold(grid.dead(&in_grid(scope), at), |dead, part| dead.without(&part));
        let mut customers = self.on(&dead);
        let named = scope.customers.iter().filter(|a| !back.iter().any(|part| part.customers.contains(a)));
        customers.extend(named.filter_map(|account| self.all_of(*account)));
        if !scope.except_customers.is_empty() {
            customers.retain(|c| !scope.except_customers.contains(&c.account));
        }
        let codes = dead.iter().filter_map(|t| grid.transformer(t)).map(|t| t.code.to_string());
        Affected::new(customers, codes.collect())
    }
}

impl OfState<'_> {
    /// The customers who hang on `dead`, those who left apart, wherever they live: supply crosses borders.
    fn on(&self, dead: &TransformerSet) -> Vec<Concerned> {
        let mut found = Vec::new();
        for (code, rows) in self.0.fed_by(dead) {
            let Some(snapshot) = self.0.snapshot(code) else { continue };
            for hit in rows {
                let Some(customer) = snapshot.view(hit.row) else { continue };
                if !customer.traits.has(Traits::CLOSED) {
                    let sources = u8::try_from(hit.sources.count()).unwrap_or(MAX_SOURCES);
                    let lost = bits(hit.lost, hit.sources);
                    found.push(Concerned { account: customer.account, lost, maybe: 0, sources });
                }
            }
        }
        found
    }

    /// A customer named himself loses all that he has.
    fn all_of(&self, account: AccountNumber) -> Option<Concerned> {
        self.0.find(account)?;
        let sources = self.0.supply_of(account).map_or(0, |s| s.len()).clamp(1, usize::from(MAX_SOURCES));
        let sources = u8::try_from(sources).unwrap_or(MAX_SOURCES);
        Some(Concerned { account, lost: u8::MAX >> (8 - sources), maybe: 0, sources })
    }

    /// Whether everything that `scope` names is there: a code with a slip of the pen concerns nobody, and nobody would notice.
    pub(super) fn check(&self, scope: &Scope) -> Result<(), Error> {
        scope.check()?;
        let unknown = |why: String| Error::Field { field: "scope", why };
        self.0.grid().check_scope(&in_grid(scope)).map_err(|e| unknown(format!("names what is not there: {e}")))?;
        let known: FxHashSet<&AccountNumber> = scope.customers.iter().filter(|a| self.0.find(**a).is_some()).collect();
        match known.len() == scope.customers.len() {
            true => Ok(()),
            false => {
                let count = scope.customers.len() - known.len();
                Err(unknown(format!("names {count} customers that are not there: correct the list (户号不存在)")))
            }
        }
    }

    /// The transformer that feeds a customer first.
    pub(super) fn transformer_of(&self, account: AccountNumber) -> Option<String> {
        let (_, first) = self.0.supply_of(account)?.into_iter().next()?;
        self.0.grid().transformer(first).map(|t| t.code.to_string())
    }
}

/// The scope as the grid reads it. Codes were checked when the scope was kept.
fn in_grid(scope: &Scope) -> GridScope {
    let codes =
        |set: &std::collections::BTreeSet<String>| -> Vec<Code> { set.iter().filter_map(|c| c.parse().ok()).collect() };
    GridScope {
        lines: codes(&scope.lines),
        switches: codes(&scope.switches),
        transformers: codes(&scope.transformers),
        except: codes(&scope.except_transformers),
        ..GridScope::default()
    }
}

/// Lost sources as bits, the first of those that he has the lowest.
fn bits(lost: Sources, all: Sources) -> u8 {
    let his = (1..=MAX_SOURCES).filter(|s| all.has(*s));
    his.zip(0..).fold(0, |bits, (source, place)| bits | u8::from(lost.has(source)) << place)
}
