"""What the guide says, in Chinese and English. It says in each first word that it is a program."""

from __future__ import annotations

from dataclasses import dataclass

from session.ports import Place


@dataclass(frozen=True, slots=True)
class Phrases:
    """One language. `{…}` is filled in by the guide."""

    closed: str
    open: str
    noted: str
    handing_over: str
    farewell: str
    company: str
    place: str
    soon: str
    minutes: str

    def placed(self, place: Place) -> str:
        """A place in line as a sentence, with the estimate where there is one."""
        sentence = self.place.format(position=place.position)
        if place.estimate_s is None:
            return sentence
        minutes = round(place.estimate_s / 60)
        return sentence + (self.minutes.format(minutes=minutes) if minutes else self.soon)


CHINESE = Phrases(
    closed="您好，我是在线助手（机器人）。现在不是人工服务时间，人工在线时间为{hours}。请写下您的诉求，每句话都会保留，"
    "工作人员会看到。仍要等待人工，请回复“人工”。",
    open="您好，我是在线助手（机器人）。请写下您的诉求。需要人工服务，请回复“人工”。",
    noted="已记下，工作人员会看到。您可以继续补充；需要人工服务，请回复“人工”。",
    handing_over="好的，正在为您转接人工，您写的内容会一并转达。",
    farewell="感谢您的来访，再见。",
    company="您好，我是在线助手（机器人），陪您等候人工服务。您写的每句话都会保留，接入后工作人员都能看到。",
    place="您目前排在第{position}位。",
    soon="预计很快为您接通。",
    minutes="预计还需约{minutes}分钟。",
)

ENGLISH = Phrases(
    closed="Hello, I am the online assistant (a bot). Our staff answer {hours}. Please write what you need: every word "
    "is kept and will be read. To wait for a person all the same, reply “human”.",
    open="Hello, I am the online assistant (a bot). Please write what you need. For a person, reply “human”.",
    noted="Noted; our staff will see it. You may add more. For a person, reply “human”.",
    handing_over="Certainly, I am passing you to a person, with everything that you wrote.",
    farewell="Thank you for writing. Goodbye.",
    company="Hello, I am the online assistant (a bot) and keep you company while you wait. Every word that you "
    "write is kept for the person who will answer.",
    place="You are number {position} in line.",
    soon=" It should not be long.",
    minutes=" It should take about {minutes} min.",
)


def phrases_for(language: str) -> Phrases:
    """The phrases of a language; Chinese where there are none."""
    return ENGLISH if language.lower().startswith("en") else CHINESE
