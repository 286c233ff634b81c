"""The SDK's own tests: python3 -m unittest discover plugins/sdk/python"""

import json
import pathlib
import random
import sys
import unittest
from types import SimpleNamespace as Plain

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "arrears-reminder-python")]

import policy as reminder  # noqa: E402
from gridbell import at, columns, date, everyone, fen, nobody, notice, policy, reason, traits, weekday, ymd  # noqa: E402
from gridbell.interest import clauses  # noqa: E402
from gridbell.loop import _Body  # noqa: E402
from gridbell.run import Run  # noqa: E402

TODAY = date(2026, 11, 21)
NONE = -2147483648
ASKED = [columns.arrears, columns.late_fee_from]


def crossed(first=TODAY - 40, days=300, works=lambda day: weekday(day) < 5, **params):
    bits = [sum(works(first + n) << n % 64 for n in range(word, min(word + 64, days))) for word in range(0, days, 64)]
    workdays = Plain(first=first, known_until=first + days - 1, bits=bits)
    facts = [Plain(id=1, value=5)]
    return Plain(prefecture=140100, now=at(TODAY, 9), trigger=1, schedule="daily", facts=facts, params=json.dumps(params), workdays=workdays)


def batch(asked, rows):
    values = [Plain(id=column.id, values=Plain(value=[row[n] for row in rows])) for n, column in enumerate(asked)]
    return Plain(subject=0, rows=len(rows), columns=values)


class Parameters:
    minimum = fen("最低", default=100)
    maximum = fen("最高")


class Notice:
    owes = notice("欠费", amount="fen", due="date")


class Reason:
    no = reason("没有")
    it_is_so = reason("有")


def declared(rule, customer=ASKED):
    return policy(
        name="p", version="0.1.0", topic="t", on=["schedule"], parameters=Parameters, customer=customer, notices=Notice, reasons=Reason,
        routes=["sms", "wechat"],
    )(rule)


class Base:
    def __init__(self, run, parameters):
        self.minimum, self.maximum = parameters.minimum, parameters.maximum

    def interest(self):
        return everyone


class Plainly(Base):
    def decide(self, customer):
        due = customer.late_fee_from
        if due is None or customer.arrears < self.minimum:
            return Reason.no
        step = 0
        for up_to in (9, 6, 3):
            if due > up_to:
                break
            step += 1
        return self.say(customer, step) if step else Reason.no

    def say(self, customer, step):
        return Notice.owes(customer.arrears, customer.late_fee_from, step=step, via="wechat", because=Reason.it_is_so)


class Called(Plainly):
    """The same rule in a way that cannot become the body of a loop."""

    def decide(self, customer):
        due = customer.late_fee_from
        if due is None or customer.arrears < self.minimum:
            return Reason.no
        step = sum(due <= up_to for up_to in (9, 6, 3))
        return self.say(customer, step) if step else Reason.no


def inlined(rule):
    return _Body.of(rule, ASKED) is not None


class Sdk(unittest.TestCase):
    def test_dates(self):
        self.assertEqual((date(1970, 1, 1), weekday(date(2026, 11, 22)), ymd(date(2028, 2, 29))), (0, 6, (2028, 2, 29)))
        for day in range(date(1899, 12, 1), date(2101, 3, 1), 13):
            self.assertEqual(date(*ymd(day)), day)

    def test_working_days(self):
        first = TODAY - 40
        odd = {first, first + 31, first + 63, first + 64, first + 127}
        run = Run(crossed(first, 128, lambda day: day in odd))
        self.assertEqual({day for day in range(first, first + 128) if run.workdays.works(day)}, odd)
        for day in (first - 1, first - 2, first + 128, first + 129):
            self.assertEqual(run.workdays.works(day), weekday(day) < 5)
        run = Run(crossed())
        self.assertEqual((run.ahead(1, "working"), run.back(1, "working")), (date(2026, 11, 24), date(2026, 11, 19)))
        self.assertEqual((run.workdays.between(TODAY, TODAY + 14), run.ahead(7), run.back(7)), (10, TODAY + 7, TODAY - 7))
        self.assertEqual((run.fact("catch-up-minutes"), run.fact("previous-run")), (5, None))
        self.assertTrue(run.is_("schedule") and not run.is_("payment-received"))

    def test_interest(self):
        bound = columns.arrears.at_least(100)
        self.assertIsNone(clauses(everyone))
        self.assertEqual(clauses(nobody), [])
        self.assertEqual(len(clauses([[bound], [columns.arrears.at_least(100)], [columns.arrears.at_least(101)]])), 2)
        self.assertIsNone(clauses([[bound], []]))
        with self.assertRaisesRegex(ValueError, "list of clauses"):
            clauses([bound])
        with self.assertRaisesRegex(ValueError, "no whole numbers"):
            columns.arrears.at_least(None)

    def test_manifest_and_defaults(self):
        manifest = json.loads(declared(Plainly).manifest)
        self.assertEqual(manifest["parameters"]["properties"]["minimum"]["default"], 100)
        self.assertNotIn("default", manifest["parameters"]["properties"]["maximum"])
        self.assertEqual([reason["name"] for reason in manifest["reasons"]], ["no", "it-is-so"])
        self.assertEqual(manifest["notices"][0]["arg1"], {"name": "due", "unit": "date"})
        rule = declared(Plainly).prepare(crossed(minimum=7))
        self.assertEqual((rule.minimum, rule.maximum), (7, None))

    def test_a_loop_says_what_decide_says(self):
        self.assertTrue(inlined(Plainly) and not inlined(Called))
        dice = random.Random(7)
        rows = [(dice.randrange(300), dice.choice([NONE, *range(12)])) for _ in range(5000)]
        answers = []
        for rule in (declared(Plainly), declared(Called)):
            said = [[getattr(d, f) for f in d.__slots__] for d in rule.decide(crossed(), batch(ASKED, rows))]
            answers.append((said, rule.explain(crossed(), batch(ASKED, rows))))
        self.assertEqual(answers[0], answers[1])
        said, why = answers[0]
        self.assertTrue(said and len(why) == len(rows) and sum(why) == len(said))
        self.assertEqual([row for row, *_ in said], [n for n, index in enumerate(why) if index])

    def test_what_may_be_unset_is_not_inlined(self):
        class Leaks(Base):
            def decide(self, customer):
                if customer.arrears > 5:
                    kept = customer.arrears
                return Notice.owes(kept, None, because=Reason.it_is_so)

        class Returns(Base):
            def decide(self, customer):
                for n in range(3):
                    if customer.arrears == n:
                        return Reason.it_is_so
                return Reason.no

        self.assertFalse(inlined(Leaks) or inlined(Returns))
        with self.assertRaises(UnboundLocalError):
            declared(Leaks).decide(crossed(), batch(ASKED, [(9, 1), (1, 1)]))
        self.assertEqual(declared(Returns).explain(crossed(), batch(ASKED, [(1, 1), (7, 1)])), [1, 0])

    def test_an_answer_may_be_kept(self):
        class Keeps(Base):
            def __init__(self, run, parameters):
                self.same = Notice.owes(1, None, because=Reason.it_is_so)

            def decide(self, customer):
                return self.same

        said = declared(Keeps).decide(crossed(), batch(ASKED, [(1, 1), (2, 2)]))
        self.assertEqual([(d.row, d.arg1) for d in said], [(0, NONE), (1, NONE)])

    def test_mistakes_are_said_in_words(self):
        def answering(answer):
            class Answers(Base):
                def decide(self, customer):
                    return answer()

            return declared(Answers)

        for answer, words in [
            (lambda: None, "answered `None`"),
            (lambda: "no", "answered `'no'`"),
            (lambda: Notice.owes(1.5, 1, because=Reason.no), "`amount` is `1.5`"),
            (lambda: Notice.owes(1, because=Reason.no), "takes 2 numbers, not 1"),
            (lambda: Notice.owes(1, 1, step=0, because=Reason.no), "step 0"),
        ]:
            for ask in ("decide", "explain"):
                with self.assertRaisesRegex(ValueError, words):
                    getattr(answering(answer), ask)(crossed(), batch(ASKED, [(1, 1)]))

        class Unasked(Base):
            def decide(self, customer):
                return Reason.no if customer.balance else Reason.it_is_so

        class Sets(Base):
            def decide(self, customer):
                self.seen = True
                return Reason.no

        for rule, words in [(Unasked, "reads `customer.balance`"), (Sets, "sets `self.seen`")]:
            with self.assertRaisesRegex(ValueError, words):
                declared(rule)
        with self.assertRaisesRegex(ValueError, "no column"):
            declared(Plainly, customer=["arrears"])
        with self.assertRaisesRegex(ValueError, "not those that the manifest asked for"):
            declared(Plainly).decide(crossed(), batch([columns.arrears], [(1,)]))

    def test_the_reminders_interest_leaves_nobody_out(self):
        plugin = reminder.ArrearsReminder
        self.assertIsNotNone(_Body.of(plugin.rule, plugin.columns), "the reference policy is one that becomes a loop")
        dice = random.Random(7)
        bits = traits.RESIDENT | traits.IMPORTANT | traits.PREPAID
        for params in ({}, {"important_steps": [10, 5], "prepaid_steps": [4], "overdue_times": 3, "counting": "working"}):
            rows = [
                (dice.getrandbits(5) & bits, dice.randrange(5) * 60, dice.choice([NONE, *range(TODAY - 40, TODAY + 40)]), dice.randrange(6))
                for _ in range(20000)
            ]
            run = crossed(**params)
            interest = plugin.interest(run)
            chosen = {said.row for said in plugin.decide(run, batch(plugin.columns, rows))}
            place = {column.id: (n, column.none) for n, column in enumerate(plugin.columns)}
            inside = {
                n
                for n, row in enumerate(rows)
                if any(all(b.passes(row[place[b.column][0]], place[b.column][1]) for b in clause) for clause in interest)
            }
            self.assertLessEqual(chosen, inside)
            self.assertTrue(0 < len(chosen) and len(inside) < len(rows))


if __name__ == "__main__":
    unittest.main()
