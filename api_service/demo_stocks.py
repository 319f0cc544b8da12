"""The stocks that a demonstration asks for: real codes and names, with prices and volumes of about their size."""

from typing import Final, NamedTuple


class DemoStock(NamedTuple):
    symbol: str
    name: str
    currency: str
    price: float
    """Where its walk begins."""
    volume: int
    """Shares in a usual day; 0: the provider tells none."""
    decimals: int = 2
    """Of its prices."""


DEMO_STOCKS: Final = (
    DemoStock("AAPL.US", "APPLE INC", "USD", 249.94, 45_000_000),
    DemoStock("MSFT.US", "MICROSOFT CORP", "USD", 489.10, 21_000_000),
    DemoStock("NVDA.US", "NVIDIA CORP", "USD", 178.35, 190_000_000),
    DemoStock("AMZN.US", "AMAZON.COM INC", "USD", 226.40, 41_000_000),
    DemoStock("GOOGL.US", "ALPHABET INC", "USD", 248.75, 33_000_000),
    DemoStock("META.US", "META PLATFORMS INC", "USD", 641.20, 13_000_000),
    DemoStock("TSLA.US", "TESLA INC", "USD", 412.60, 88_000_000),
    DemoStock("SPY.US", "SPDR S&P 500 ETF TRUST", "USD", 645.64, 62_000_000),
    DemoStock("^SPX", "US LARGECAP", "USD", 6441.81, 3_200_000_000),
    DemoStock("QQQ.US", "INVESCO QQQ TRUST", "USD", 571.90, 48_000_000),
    DemoStock("BRK-B.US", "BERKSHIRE HATHAWAY INC", "USD", 484.47, 4_400_000),
    DemoStock("JPM.US", "JPMORGAN CHASE & CO", "USD", 301.15, 8_600_000),
    DemoStock("V.US", "VISA INC", "USD", 338.20, 6_100_000),
    DemoStock("JNJ.US", "JOHNSON & JOHNSON", "USD", 178.90, 7_700_000),
    DemoStock("WMT.US", "WALMART INC", "USD", 102.45, 16_000_000),
    DemoStock("XOM.US", "EXXON MOBIL CORP", "USD", 112.30, 14_000_000),
    DemoStock("KO.US", "COCA-COLA CO", "USD", 68.85, 13_500_000),
    DemoStock("DIS.US", "WALT DISNEY CO", "USD", 114.20, 9_200_000),
    DemoStock("AMD.US", "ADVANCED MICRO DEVICES INC", "USD", 168.70, 52_000_000),
    DemoStock("INTC.US", "INTEL CORP", "USD", 24.85, 85_000_000),
    DemoStock("COIN.US", "COINBASE GLOBAL INC", "USD", 289.44, 10_400_000),
    DemoStock("GLDM.US", "SPDR GOLD MINISHARES TRUST", "USD", 73.33, 3_900_000),
    DemoStock("ACU.US", "ACME UNITED CORP", "USD", 40.01, 5_400),
    DemoStock("F.US", "FORD MOTOR CO", "USD", 11.62, 71_000_000),
    DemoStock("SAP.DE", "SAP SE", "EUR", 231.85, 1_600_000),
    DemoStock("SIE.DE", "SIEMENS AG", "EUR", 236.40, 1_100_000),
    DemoStock("VOW3.DE", "VOLKSWAGEN AG", "EUR", 99.86, 1_300_000),
    DemoStock("SHEL.UK", "SHELL PLC", "GBP", 26.71, 9_800_000, 3),
    DemoStock("HSBA.UK", "HSBC HOLDINGS PLC", "GBP", 9.684, 21_000_000, 4),
    DemoStock("7203.JP", "TOYOTA MOTOR CORP", "JPY", 2854.0, 24_000_000, 1),
    DemoStock("6758.JP", "SONY GROUP CORP", "JPY", 4018.0, 12_000_000, 0),
    DemoStock("OTP.HU", "OTP BANK NYRT", "HUF", 28_350.0, 260_000, 0),
    DemoStock("PKN", "ORLEN SA", "PLN", 86.91, 2_100_000),
    DemoStock("PKO", "PKO BANK POLSKI SA", "PLN", 76.52, 2_600_000),
    DemoStock("CDR", "CD PROJEKT SA", "PLN", 241.30, 420_000),
    DemoStock("WIG", "WARSAW STOCK EXCHANGE INDEX", "PLN", 103_406.36, 0),
)
"""Those that are asked for most come first."""
